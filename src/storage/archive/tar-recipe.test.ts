import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { digestOf } from '#/oci/digest.ts';
import { directory, file, link, pieces, tarOf } from '#/tar/tar-samples.ts';
import { type ScratchDir, scratchDir } from '#tests/scratch-dir.ts';
import { extractTar } from './extract.ts';
import { followRecipe, makeRecipe } from './tar-recipe.ts';

interface Made {
  readonly recipe: string;
  readonly root: string;
}

async function made(dir: ScratchDir, archive: Buffer, blob: Buffer = archive): Promise<Made> {
  const [root, path, recipe] = [dir.join('root'), dir.join('blob'), dir.join('recipe')];
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root);
  await extractTar(pieces(archive), { root, whiteouts: 'overlay' });
  writeFileSync(path, blob);
  assert.deepEqual(await makeRecipe({ path, root, recipe }), {
    diffId: digestOf(archive),
    size: archive.length,
  });
  return { recipe, root };
}

async function followed(made: Made, archive: Buffer): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(followRecipe(made, { diffId: digestOf(archive) })));
}

test('makeRecipe: whatever an archive has, following its recipe gives the same bytes', async () => {
  using dir = scratchDir();
  const name = fc.constantFrom('a', 'b', 'd/x', 'd/y', 'long'.repeat(60));
  const text = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.integer({ min: 200, max: 200_000 }).map((n) => 'x'.repeat(n)),
  );
  const entry = fc.oneof(
    fc.tuple(name, text).map(([path, content]) => file(path, content, { mtime: 123_456_789n })),
    fc.constant(directory('d')),
    fc.constant(file('.wh.gone')),
    fc.constant(file('d/.wh..wh..opq')),
    fc.constant(link('symlink', 's', 'd')),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(entry, { maxLength: 8 }),
      fc.boolean(),
      fc.nat({ max: 3000 }),
      async (entries, zip, tail) => {
        const archive = Buffer.concat([await tarOf(...entries), Buffer.alloc(tail, 7)]);
        const recipe = await made(dir, archive, zip ? gzipSync(archive) : archive);
        assert.deepEqual(await followed(recipe, archive), archive);
      },
    ),
    { numRuns: 60 },
  );
});

test('makeRecipe: is small beside the archive, also for what GNU tar writes of holes and links', async () => {
  using dir = scratchDir();
  const tree = dir.join('tree');
  mkdirSync(tree);
  writeFileSync(
    `${tree}/noise`,
    Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * i * 7 + (i >> 9)) & 255)),
  );
  execFileSync('truncate', ['-s', '5M', `${tree}/holes`]);
  execFileSync('ln', [`${tree}/noise`, `${tree}/again`]);
  for (const options of [[], ['--sparse'], ['--format=pax']]) {
    const archive = execFileSync('tar', [...options, '-C', tree, '-c', '.'], { maxBuffer: 1 << 28 });
    const recipe = await made(dir, archive);
    assert.ok(statSync(recipe.recipe).size < 5000, `${statSync(recipe.recipe).size} bytes`);
    assert.deepEqual(await followed(recipe, archive), archive);
  }
});

test('followRecipe: files that were changed, cut or removed are found out', async () => {
  using dir = scratchDir();
  const archive = await tarOf(file('f', 'y'.repeat(5000)));
  for (const [change, message] of [
    [(path: string) => writeFileSync(path, 'z'.repeat(5000)), /have been changed/],
    [(path: string) => writeFileSync(path, 'y'), /shorter than it was/],
    [(path: string) => rmSync(path), /is gone/],
  ] as const) {
    const recipe = await made(dir, archive);
    change(`${recipe.root}/f`);
    await assert.rejects(followed(recipe, archive), { kind: 'invalid', message });
  }
});
