import assert from 'node:assert/strict';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { parsePlatform } from '#/oci/platform.ts';
import { parseReference } from '#/oci/reference.ts';
import { extractTar } from '#/storage/archive/extract.ts';
import { loadImages } from '#/storage/images/load.ts';
import { configOf, dockerArchive, openImages, streamOf, tarOf } from '#tests/images.ts';
import { type ScratchDir, scratchDir } from '#tests/scratch-dir.ts';
import { imageArchive } from '../export/image-archive.ts';
import { readImageOptions } from '../export/image-options.ts';
import { packageImages } from '../export/image-package.ts';
import { LayerBlobs } from '../export/layer-blobs.ts';
import { imageFromLayout } from './oci-layout.ts';

const { signal } = new AbortController();
const amd64 = parsePlatform('linux/amd64');
const arm64 = parsePlatform('linux/arm64');

/** A layout with an index of two images, under a name. Returns the ids of both. */
async function makeLayout(root: string): Promise<string[]> {
  await using s = await openImages();
  const images = [];
  for (const architecture of ['amd64', 'arm64']) {
    const layers = [await tarOf({ shared: 's' }), await tarOf({ own: architecture })];
    await loadImages(s, streamOf(await dockerArchive([`${architecture}:1`], layers, { architecture })));
    const configBytes = Buffer.from(configOf(layers, { architecture }));
    const { chainId } = s.images.find(`${architecture}:1`).image;
    images.push({ platform: parsePlatform(`linux/${architecture}`), configBytes, chainId });
  }
  await using layers = new LayerBlobs(s, signal);
  const made = await packageImages({ images, layers, options: readImageOptions(new Map()) });
  mkdirSync(root);
  await extractTar(imageArchive('oci', made, [parseReference('me/app:v1')]), { root, whiteouts: 'none' });
  return images.map(({ configBytes }) => digestOf(configBytes));
}

test('imageFromLayout: finds an image by tag, name, digest or as the only one, for the platform', async () => {
  using scratch = scratchDir();
  const root = scratch.join('layout');
  const [amd, arm] = await makeLayout(root);
  const index = JSON.parse(readFileSync(join(root, 'index.json'), 'utf8'));
  const top = index.manifests[0].digest;
  await using there = await openImages();
  for (const reference of ['', 'v1', 'docker.io/me/app:v1', top]) {
    const image = await imageFromLayout(there, root, { reference, platform: amd64, signal });
    assert.equal(image.id, amd);
    assert.deepEqual(there.images.namesOf(image.id), []);
  }
  const other = await imageFromLayout(there, root, { reference: 'v1', platform: arm64, signal });
  assert.equal(other.id, arm);
  // One that only the index leads to.
  const inner = JSON.parse(readFileSync(join(root, 'blobs/sha256', top.slice(7)), 'utf8')).manifests[1]
    .digest;
  assert.equal((await imageFromLayout(there, root, { reference: inner, platform: arm64, signal })).id, arm);
  for (const reference of ['v2', digestOf('x')]) {
    await assert.rejects(imageFromLayout(there, root, { reference, platform: amd64, signal }), {
      kind: 'notFound',
    });
  }
  const s390x = parsePlatform('linux/s390x');
  await assert.rejects(
    imageFromLayout(there, root, { reference: 'v1', platform: s390x, signal }),
    /no matching manifest for linux\/s390x/,
  );
});

/** Puts links into the place of the blobs that are chosen by their content. */
function linkBlobs(root: string, scratch: ScratchDir, chosen: (bytes: Buffer) => boolean): void {
  const names = readdirSync(join(root, 'blobs/sha256')).filter((name) =>
    chosen(readFileSync(join(root, 'blobs/sha256', name))),
  );
  assert.ok(names.length > 0);
  for (const name of names) {
    const blob = join(root, 'blobs/sha256', name);
    renameSync(blob, scratch.join(name));
    symlinkSync(scratch.join(name), blob);
  }
}

const harms: readonly [string, (root: string, scratch: ScratchDir) => void, object][] = [
  ['no layout', (root) => rmSync(join(root, 'index.json')), { kind: 'notFound' }],
  [
    'documents are links',
    (root, scratch) => linkBlobs(root, scratch, (bytes) => bytes[0] === 0x7b),
    { kind: 'invalid' },
  ],
  [
    'layers are links',
    (root, scratch) => linkBlobs(root, scratch, (bytes) => bytes[0] === 0x1f),
    { kind: 'invalid' },
  ],
  [
    'the blobs are behind a link',
    (root, scratch) => {
      renameSync(join(root, 'blobs'), scratch.join('blobs'));
      symlinkSync(scratch.join('blobs'), join(root, 'blobs'));
    },
    { kind: 'invalid' },
  ],
  [
    'blobs have other content',
    (root) => {
      for (const name of readdirSync(join(root, 'blobs/sha256'))) {
        const path = join(root, 'blobs/sha256', name);
        if (readFileSync(path)[0] === 0x1f) writeFileSync(path, readFileSync(path).fill(0, 20));
      }
    },
    { kind: 'invalid' },
  ],
  ['the index is not one', (root) => writeFileSync(join(root, 'index.json'), '[]'), { kind: 'invalid' }],
];

for (const [what, harm, expected] of harms) {
  test(`imageFromLayout: refuses, and leaves nothing, where ${what}`, async () => {
    using scratch = scratchDir();
    const root = scratch.join('layout');
    await makeLayout(root);
    harm(root, scratch);
    await using there = await openImages();
    await assert.rejects(
      imageFromLayout(there, root, { reference: 'v1', platform: amd64, signal }),
      expected,
    );
    assert.deepEqual(await there.footprint(), { images: 0, blobs: 0, snapshots: 0, layers: 0 });
  });
}
