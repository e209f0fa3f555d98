import assert from 'node:assert/strict';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { EngineError } from '#/base/errors.ts';
import { fileHeader } from '#/tar/tar-entry.ts';
import { directory, file, link, pieces, tarOf } from '#/tar/tar-samples.ts';
import type { TarInput } from '#/tar/tar-writer.ts';
import { type ScratchDir, scratchDir } from '#tests/scratch-dir.ts';
import { type ExtractOptions, extractTar } from './extract.ts';

/** A root to unpack into, next to things that must stay as they are. */
function trap(): ScratchDir & { readonly root: string; check(): void } {
  const scratch = scratchDir();
  const root = scratch.join('root');
  mkdirSync(root);
  mkdirSync(scratch.join('outside'));
  writeFileSync(scratch.join('outside/secret'), 'secret', { mode: 0o600 });
  const before = statSync(scratch.join('outside/secret'), { bigint: true });
  return {
    ...scratch,
    root,
    check() {
      assert.deepEqual(readdirSync(scratch.path).sort(), ['outside', 'root']);
      assert.deepEqual(readdirSync(scratch.join('outside')), ['secret']);
      assert.equal(readFileSync(scratch.join('outside/secret'), 'utf8'), 'secret');
      // A changed time of change would be a touched owner, mode or link count.
      assert.equal(statSync(scratch.join('outside/secret'), { bigint: true }).ctimeNs, before.ctimeNs);
    },
  };
}

async function unpack(
  root: string,
  entries: readonly TarInput[],
  how: Pick<ExtractOptions, 'whiteouts' | 'makesLinkTargets'>,
): Promise<void> {
  await extractTar(pieces(await tarOf(...entries)), { root, ...how });
}

/** Archives that want to get out, and whether they are refused (else what they bring lands inside). */
const attacks: readonly (readonly [
  title: string,
  refused: boolean,
  entries: (outside: string) => TarInput[],
])[] = [
  ['".." in a name', true, () => [file('../outside/new', 'x')]],
  ['".." after a directory', true, () => [directory('a'), file('a/../../outside/new', 'x')]],
  ['a name that is ".."', true, () => [directory('..')]],
  ['an absolute name', false, (outside) => [file(`${outside}/new`, 'x')]],
  ['a name of many slashes', false, (outside) => [file(`////${outside}//./new`, 'x')]],
  ['a file through an absolute link', true, (outside) => [link('symlink', 'l', outside), file('l/new', 'x')]],
  ['a file through a relative link', true, () => [link('symlink', 'l', '../outside'), file('l/new', 'x')]],
  [
    'a file through a chain of links',
    true,
    () => [
      directory('d'),
      link('symlink', 'd/up', '..'),
      link('symlink', 'd/upper', 'up/..'),
      link('symlink', 'd/out', 'upper/outside'),
      file('d/out/new', 'x'),
    ],
  ],
  [
    'a file over a link to a file',
    false,
    (outside) => [link('symlink', 'l', `${outside}/secret`), file('l', 'overwritten')],
  ],
  [
    'a directory over a link',
    false,
    (outside) => [
      link('symlink', 'l', outside),
      directory('l', { mode: 0o777, uid: 5 }),
      file('l/secret', 'x'),
    ],
  ],
  [
    'a hard link to a file outside',
    true,
    (outside) => [link('hardlink', 'l', `${outside}/secret`), file('l', 'x')],
  ],
  ['a hard link with ".."', true, () => [link('hardlink', 'l', '../outside/secret')]],
  [
    'a hard link through a link',
    true,
    (outside) => [link('symlink', 's', outside), link('hardlink', 'l', 's/secret')],
  ],
  [
    'a hard link to a link, then written through',
    false,
    (outside) => [
      link('symlink', 's', `${outside}/secret`),
      link('hardlink', 'l', 's'),
      file('l', 'overwritten'),
    ],
  ],
  ['a hard link to a directory', true, () => [directory('d'), link('hardlink', 'l', 'd')]],
  ['a hard link to nothing', true, () => [link('hardlink', 'l', 'nothing')]],
  ['a hard link to the root', true, () => [link('hardlink', 'l', '/')]],
  [
    'a device through a link',
    true,
    (outside) => [
      link('symlink', 'l', outside),
      { ...fileHeader('l/null', 0), kind: 'char', devMajor: 1, devMinor: 3 },
    ],
  ],
  ['a link through a link', true, (outside) => [link('symlink', 'l', outside), link('symlink', 'l/m', '/')]],
  ['a file below a file', true, () => [file('f', 'x'), file('f/g', 'x')]],
  [
    'a file below a device',
    true,
    () => [{ ...fileHeader('null', 0), kind: 'char', devMajor: 1, devMinor: 3 }, file('null/f', 'x')],
  ],
  ['a file over a FIFO', false, () => [{ ...fileHeader('p', 0), kind: 'fifo' }, file('p', 'x')]],
  ['a link to itself', true, () => [link('symlink', 'l', 'l'), file('l/f', 'x')]],
  ['a root that is a file', true, () => [file('./', '')].map((entry): TarInput => ({ ...entry, path: '.' }))],
  ['a root that is a link', true, (outside) => [link('symlink', '/', outside)]],
  ['a name that is too long', true, () => [file('n'.repeat(300), 'x')]],
  ['a path that is too long', true, () => [file('n/'.repeat(400_000) + 'f', 'x')]],
  ['a symbolic link without a target', true, () => [link('symlink', 'l', '')]],
  ['a symbolic link with too long a target', true, () => [link('symlink', 'l', 't'.repeat(5000))]],
  [
    'a file of a size that no file system has',
    true,
    () => [{ ...fileHeader('f', Number.MAX_SAFE_INTEGER), sparse: [], body: [] }],
  ],
  [
    'a directory that becomes a link on the way',
    true,
    (outside) => [directory('d'), file('d/a', 'x'), link('symlink', 'd', outside), file('d/new', 'x')],
  ],
  [
    'a parent that becomes a link on the way',
    true,
    (outside) => [
      file('d/e/a', 'x'),
      link('symlink', 'd', '..'),
      file('d/outside/new', 'x'),
      link('symlink', 'l', outside),
      file('l/e/a', 'x'),
    ],
  ],
];

for (const [title, refused, entries] of attacks) {
  for (const whiteouts of ['none', 'overlay', 'apply'] as const) {
    test(`extractTar: stays inside (${whiteouts}): ${title}`, async () => {
      using place = trap();
      const attempt = unpack(place.root, entries(place.join('outside')), { whiteouts });
      if (refused) await assert.rejects(attempt, { name: 'EngineError', kind: 'invalid' });
      else await attempt;
      place.check();
    });
  }
}

/** The same with whiteouts, which delete. */
const whiteoutAttacks: readonly (readonly [title: string, entries: (outside: string) => TarInput[]])[] = [
  ['of ".."', () => [directory('d'), file('d/.wh...', '')]],
  ['of "."', () => [directory('d'), file('d/.wh..', '')]],
  ['of nothing', () => [directory('d'), file('d/.wh.', '')]],
  ['through a link', (outside) => [link('symlink', 'l', outside), file('l/.wh.secret', '')]],
  ['of everything through a link', (outside) => [link('symlink', 'l', outside), file('l/.wh..wh..opq', '')]],
  ['of a link', (outside) => [link('symlink', 'l', outside), file('.wh.l', '')]],
  ['of a link that was there before', () => [file('.wh.old-link', ''), file('.wh..wh..opq', '')]],
];

for (const [title, entries] of whiteoutAttacks) {
  for (const whiteouts of ['overlay', 'apply'] as const) {
    test(`extractTar: a whiteout ${title} deletes nothing outside (${whiteouts})`, async () => {
      using place = trap();
      symlinkSync(place.join('outside'), `${place.root}/old-link`);
      try {
        await unpack(place.root, entries(place.join('outside')), { whiteouts });
      } catch (error) {
        assert.ok(error instanceof EngineError && error.kind === 'invalid', String(error));
      }
      place.check();
    });
  }
}

test('extractTar: a directory that is swapped for a link while it is filled does not lead out', async () => {
  for (const swapAt of [1, 2, 3, 4, 5]) {
    using place = trap();
    const entries = [
      directory('d'),
      file('d/a', 'x'),
      file('d/b', 'x'),
      directory('d/sub'),
      file('d/sub/secret', 'x'),
      file('d/secret', 'x'),
    ];
    async function* source(): AsyncGenerator<Uint8Array> {
      const archive = await tarOf(...entries);
      for (let block = 0; block * 512 < archive.length; block++) {
        if (block === swapAt * 2) {
          rmSync(`${place.root}/d`, { recursive: true, force: true });
          symlinkSync(place.join('outside'), `${place.root}/d`);
        }
        yield archive.subarray(block * 512, block * 512 + 512);
      }
    }
    try {
      await extractTar(source(), { root: place.root, whiteouts: 'none' });
    } catch (error) {
      assert.ok(error instanceof EngineError, String(error));
    }
    place.check();
  }
});

test('extractTar: a directory that is moved away while it is filled gets the rest, nothing else does', async () => {
  using place = trap();
  async function* source(): AsyncGenerator<Uint8Array> {
    const archive = await tarOf(directory('d'), file('d/a', ''), file('d/secret', ''));
    yield archive.subarray(0, 1024);
    renameSync(`${place.root}/d`, `${place.root}/moved`);
    symlinkSync(place.join('outside'), `${place.root}/d`);
    yield archive.subarray(1024);
  }
  await extractTar(source(), { root: place.root, whiteouts: 'none' });
  assert.deepEqual(readdirSync(`${place.root}/moved`), ['a', 'secret']);
  place.check();
});

test('extractTar: any mix of names and links stays inside', async () => {
  const name = fc.constantFrom(
    'a',
    'b',
    'a/b',
    'b/a',
    'a/b/c',
    '/a',
    './b/',
    'a/../b',
    '..',
    '.wh.a',
    'a/.wh.b',
    'b/.wh..wh..opq',
    'outside/secret',
  );
  const target = fc.constantFrom(
    '.',
    '..',
    '/',
    'a',
    'b',
    '../outside',
    '../../outside',
    '/outside',
    'a/b',
    '../b',
    'outside/secret',
    '../outside/secret',
    '/proc/self/root',
  );
  const entry: fc.Arbitrary<TarInput> = fc.oneof(
    name.map((path) => file(path, 'x')),
    name.map((path) => directory(path, { mode: 0o700 })),
    fc.tuple(name, target).map(([path, to]) => link('symlink', path, to)),
    fc.tuple(name, target).map(([path, to]) => link('hardlink', path, to)),
    name.map((path): TarInput => ({ ...fileHeader(path, 0), kind: 'fifo' })),
  );
  const how = fc.record({
    whiteouts: fc.constantFrom('none', 'overlay', 'apply'),
    makesLinkTargets: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(entry, { maxLength: 4 }), { maxLength: 6 }),
      how,
      async (archives, options) => {
        using place = trap();
        for (const entries of archives) {
          try {
            await unpack(place.root, entries, options);
          } catch (error) {
            assert.ok(error instanceof EngineError && error.kind === 'invalid', String(error));
          }
        }
        place.check();
      },
    ),
    { numRuns: 200 },
  );
});
