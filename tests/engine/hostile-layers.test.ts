import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { mediaTypes } from '#/oci/media-types.ts';
import { tarOf as archiveOf, directory, file, link } from '#/tar/tar-samples.ts';
import type { TarInput } from '#/tar/tar-writer.ts';
import { bent, type HostileCase, HostilePulls, type Publish, pageForPeople } from '#tests/hostile-pulls.ts';
import { configOf, tarOf } from '#tests/images.ts';
import { scratchDir } from '#tests/scratch-dir.ts';

let pulls: HostilePulls;

before(async () => {
  pulls = await HostilePulls.open();
});

after(() => pulls[Symbol.asyncDispose]());

/** An image of one layer: its blob, and the archive that its configuration means. */
function layer(make: () => Promise<{ blob: Buffer; archive: Buffer }>): Publish {
  return async (content) => {
    const { blob, archive } = await make();
    const layers = [{ ...content.addBlob('app', blob), mediaType: mediaTypes.layerGzip }];
    const text = Buffer.from(configOf([archive]));
    const config = { ...content.addBlob('app', text), mediaType: mediaTypes.config };
    const document = { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers };
    content.addManifest('app', document, { tag: '1' });
    return undefined;
  };
}

const nonsense = (blob: Buffer): Publish => layer(async () => ({ blob, archive: Buffer.from('nonsense') }));

const endsEarly = layer(async () => {
  const archive = await tarOf({ a: randomBytes(3 << 20) });
  return { blob: gzipSync(archive).subarray(0, 2 << 20), archive };
});

const otherContent = layer(async () => {
  return { blob: gzipSync(await tarOf({ a: '1' })), archive: await tarOf({ a: '2' }) };
});

/** An archive with a good file, and then one of these names. */
function named(path: string): Publish {
  return layer(async () => {
    const archive = await tarOf({ good: 'x', [path]: 'x' });
    return { blob: gzipSync(archive), archive };
  });
}

const ofUnknownLength = {
  kind: 'headers',
  set: { 'content-length': undefined, 'transfer-encoding': 'chunked' },
} as const;

const wrong = (['small', 'large'] as const).flatMap((which): readonly HostileCase[] => [
  [
    `a ${which} layer with another digest`,
    bent(which, { kind: 'corrupt', at: 50 }),
    /Content has digest .*, expected sha256:/,
  ],
  [
    `a ${which} layer that is shorter`,
    bent(which, { kind: 'truncate', bytes: 50 }),
    /has 50 bytes at the registry, its descriptor says/,
  ],
  [
    `a ${which} layer that is longer`,
    bent(which, { kind: 'pad', bytes: 50 }),
    /bytes at the registry, its descriptor says/,
  ],
  [
    `a ${which} layer of unknown length that is longer`,
    bent(which, { kind: 'pad', bytes: 50 }, ofUnknownLength),
    /longer than the \d+ bytes of its descriptor/,
  ],
  [
    `a page for people instead of a ${which} layer`,
    bent(which, pageForPeople()),
    /has 13 bytes at the registry, its descriptor says/,
  ],
]);

const archives: readonly HostileCase[] = [
  ['a layer that is no archive', nonsense(gzipSync('nonsense')), /archive/i],
  ['a layer that is no gzip', nonsense(Buffer.from('\x1f\x8b\x08nonsense', 'latin1')), /archive|gzip/i],
  ['a layer whose gzip ends early', endsEarly, /archive|gzip|ends/i],
  [
    'a layer with other content than the configuration says',
    otherContent,
    /has diff id .*, expected sha256:/,
  ],
  ['a layer that leads out of its folder', named('../../../../../../tmp/skiff-escaped'), /\.\./],
  ['a layer with a name that is too long', named('x'.repeat(300)), /name too long/i],
];

for (const hostile of [...wrong, ...archives]) {
  test(`pull: ${hostile[0]} is refused clearly, and leaves nothing`, () => pulls.refuses(hostile));
}

/** Layers, the lowest first, that want to reach a folder of the machine. */
const attacks: readonly (readonly [string, (outside: string) => readonly (readonly TarInput[])[]])[] = [
  ['a file through a link', (out) => [[link('symlink', 'l', out), file('l/new', 'x')]]],
  ['a file through a link of the layer below', (out) => [[link('symlink', 'l', out)], [file('l/new', 'x')]]],
  ['a file over a link', (out) => [[link('symlink', 'l', `${out}/secret`)], [file('l', 'overwritten')]]],
  [
    'a further name of a file outside',
    (out) => [[link('hardlink', 'h', `${out}/secret`), file('h', 'over')]],
  ],
  [
    'a further name through a link',
    (out) => [[link('symlink', 'l', out), link('hardlink', 'h', 'l/secret')]],
  ],
  ['an absolute name', (out) => [[file(`${out}/new`, 'x')]]],
  ['a whiteout through a link', (out) => [[link('symlink', 'l', out)], [file('l/.wh.secret')]]],
  ['a whiteout of all through a link', (out) => [[link('symlink', 'l', out)], [file('l/.wh..wh..opq')]]],
  ['a whiteout that leads out', () => [[file('d/.wh...'), file('.wh..')]]],
  ['a directory over a link', (out) => [[link('symlink', 'l', out)], [directory('l', { mode: 0o777 })]]],
  ['links in a circle', () => [[link('symlink', 'a', 'b'), link('symlink', 'b', 'a'), file('a/new', 'x')]]],
  ['a device in the place of a directory', () => [[device('d'), file('d/new', 'x')]]],
];

function device(path: string): TarInput {
  return { ...directory(path), kind: 'char', devMajor: 1, devMinor: 5 };
}

for (const [title, layersOf] of attacks) {
  for (const size of ['small', 'large'] as const) {
    test(`pull: ${title} in a ${size} layer reaches nothing of the machine`, async () => {
      using outside = scratchDir();
      writeFileSync(outside.join('secret'), 'secret');
      const before = statSync(outside.join('secret'), { bigint: true });
      const filler = size === 'large' ? [{ ...file('filler', ''), ...fillerOf(2 << 20) }] : [];
      const layers = layersOf(outside.path).map((entries) => archiveOf(...entries, ...filler));
      const archivesOfLayers = await Promise.all(layers);
      await pulls.pulls(async (content) => {
        content.addImage('app', archivesOfLayers, { tag: '1' });
        return undefined;
      });
      assert.deepEqual(readdirSync(outside.path), ['secret']);
      assert.equal(readFileSync(outside.join('secret'), 'utf8'), 'secret');
      // A changed time of change would be a touched owner, mode or number of names.
      assert.equal(statSync(outside.join('secret'), { bigint: true }).ctimeNs, before.ctimeNs);
    });
  }
}

function fillerOf(size: number): Pick<TarInput, 'size' | 'body'> {
  return { size, body: [randomBytes(size)] };
}

/** A redirect of a layer. */
function leadsTo(location: string): Publish {
  return bent('large', { kind: 'answer', answer: { status: 307, headers: { location } } });
}

const unavailable: readonly HostileCase[] = [
  ['a layer that is not there', bent('large', { kind: 'answer', answer: { status: 404 } }), /404/],
  ['a layer that may not be read', bent('large', { kind: 'answer', answer: { status: 403 } }), /403/],
  ['a layer that leads in a circle', leadsTo('#'), /more than 5 redirects/],
  ['a layer that leads to a file', leadsTo('file:///etc/passwd'), /leads to "file:/],
  [
    'a registry without an answer',
    bent('large', { kind: 'reset' }),
    /cannot download .* from .*gave up after 2 tries/,
  ],
  [
    'a connection that breaks',
    bent('large', { kind: 'cut', after: 0 }),
    /cannot download .* from .*gave up after 2 tries/,
  ],
  [
    'a registry that is overloaded',
    bent('large', { kind: 'answer', answer: { status: 503, headers: { 'retry-after': '0' } } }),
    /503 .*gave up after 2 tries/,
  ],
];

for (const hostile of unavailable) {
  test(`pull: ${hostile[0]} is told clearly, shows nothing, and is no harm for the next attempt`, () =>
    pulls.refuses(hostile, { keeps: true }));
}

test('pull: after all wrong layers everything is as before, also after a start', () => pulls.leavesNothing());
