import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { parsePlatform } from '#/oci/platform.ts';
import { parseReference } from '#/oci/reference.ts';
import { loadImages } from '#/storage/images/load.ts';
import { configOf, dockerArchive, type ImageScratch, openImages, streamOf, tarOf } from '#tests/images.ts';
import { startRegistry, type TestRegistry } from '#tests/registry-server.ts';
import { Transfers } from '#tests/transfers.ts';
import type { Status } from '../progress.ts';
import { readImageOptions } from './image-options.ts';
import { type PlatformImage, packageImages } from './image-package.ts';
import { LayerBlobs } from './layer-blobs.ts';
import { pushPackage } from './push-package.ts';

let registry: TestRegistry;

before(async () => {
  registry = await startRegistry();
});

after(() => registry[Symbol.asyncDispose]());

async function built(s: ImageScratch, architecture: string): Promise<PlatformImage> {
  const layers = [await tarOf({ shared: 's' }), await tarOf({ own: architecture })];
  await loadImages(s, streamOf(await dockerArchive([`${architecture}:1`], layers, { architecture })));
  const { chainId } = s.images.find(`${architecture}:1`).image;
  const configBytes = Buffer.from(configOf(layers, { architecture }));
  return { platform: parsePlatform(`linux/${architecture}`), configBytes, chainId };
}

test('pushPackage: what was pushed can be pulled, for each platform, and a second push gives the same digest', async () => {
  await using s = await openImages();
  const images = [await built(s, 'amd64'), await built(s, 'arm64')];
  const { parts } = new Transfers(s, s);
  const name = parseReference(`${registry.host}/team/app:1`);
  const repository = new Transfers(s, s).repository(`${registry.host}/team/app`);
  const digests: string[] = [];
  for (let time = 0; time < 2; time += 1) {
    await using layers = new LayerBlobs(s, new AbortController().signal);
    const made = await packageImages({
      images,
      layers,
      options: readImageOptions(new Map()),
      attest: () =>
        Promise.resolve([{ predicateType: 'https://spdx.dev/Document', bytes: Buffer.from('{}') }]),
    });
    const progress: Status[] = [];
    const digest = await pushPackage(
      made,
      { repository, name, tag: name.tag },
      {
        sources: parts.sources,
        uploads: parts.uploads,
        signal: new AbortController().signal,
        progress: (status) => void progress.push(status),
      },
    );
    assert.equal(digest, made.top.digest);
    assert.ok(
      progress.some(({ id, completed }) => id.startsWith('pushing manifest for') && completed !== undefined),
    );
    digests.push(digest);
  }
  assert.equal(digests[0], digests[1]);
  for (const { platform, configBytes } of images) {
    await using there = await openImages();
    const pulled = await new Transfers(there, there).pull(`${registry.host}/team/app:1`, { platform });
    assert.equal(pulled.image.id, digestOf(configBytes));
  }
  const index = await repository.manifest('1', { signal: new AbortController().signal });
  assert.equal(JSON.parse(index.bytes.toString()).manifests.length, 4);
});

test('pushPackage: a failure ends the push, and no tag leads to half of it', async () => {
  await using s = await openImages();
  const image = await built(s, 'amd64');
  const { parts } = new Transfers(s, s);
  const repository = new Transfers(s, s).repository(`${registry.host}/team/half`);
  await using layers = new LayerBlobs(s, new AbortController().signal);
  const made = await packageImages({ images: [image], layers, options: readImageOptions(new Map()) });
  const [first] = made.blobs.values();
  assert.ok(first !== undefined);
  const broken = new Map(made.blobs).set(first.descriptor.digest, {
    ...first,
    open: () => {
      throw new Error('cannot read');
    },
  });
  const control = {
    sources: parts.sources,
    uploads: parts.uploads,
    signal: new AbortController().signal,
    progress: () => {},
  };
  const target = { repository, name: parseReference(`${registry.host}/team/half`), tag: '1' };
  await assert.rejects(pushPackage({ ...made, blobs: broken }, target, control), /cannot read/);
  assert.equal(await repository.head('1', { signal: control.signal }), undefined);
});
