import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { maxConfigBytes } from '#/oci/image-config.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { parseReference } from '#/oci/reference.ts';
import { loadImages } from '#/storage/images/load.ts';
import type { ImageRecord } from '#/storage/images/record.ts';
import { dockerArchive, type ImageScratch, openImages, streamOf, tarOf } from '#tests/images.ts';
import { manifestsOf } from './manifests.ts';

const users = { containersUsing: () => [{ id: 'c1', name: 'c', running: false }] };

async function load(s: ImageScratch): Promise<ImageRecord> {
  const [loaded] = await loadImages(s, streamOf(await dockerArchive(['app:1'], [await tarOf({ f: 'x' })])));
  assert.ok(loaded);
  return loaded.image;
}

test('manifestsOf: an image without an index has its own manifest only', async () => {
  await using s = await openImages();
  const image = await load(s);
  const { Descriptor, Manifests } = await manifestsOf(s, users, { id: image.id, image, index: undefined });
  const [only, ...rest] = Manifests;
  assert.ok(only !== undefined && rest.length === 0);
  assert.equal(Descriptor.digest, image.manifest);
  assert.deepEqual([only.ID, only.Kind, only.Available], [image.manifest, 'image', true]);
  assert.deepEqual(only.ImageData, {
    Platform: { architecture: 'amd64', os: 'linux' },
    Containers: ['c1'],
    Size: { Unpacked: image.size },
  });
  const stored = (await s.content.list()).reduce((sum, { size }) => sum + size, 0);
  assert.deepEqual(only.Size, { Content: stored, Total: stored + image.size });
});

test('manifestsOf: an index shows what is here, what is not, and attestations', async () => {
  await using s = await openImages();
  const image = await load(s);
  const own = {
    mediaType: mediaTypes.manifest,
    digest: image.manifest,
    size: await s.content.size(image.manifest),
  };
  const absent = { mediaType: mediaTypes.manifest, digest: digestOf('arm'), size: 3 };
  const attestation = {
    mediaType: mediaTypes.manifest,
    digest: digestOf('attestation'),
    size: 11,
    annotations: {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': image.manifest,
    },
    platform: { architecture: 'unknown', os: 'unknown' },
  };
  const index = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      manifests: [
        { ...own, platform: { architecture: 'amd64', os: 'linux' } },
        { ...absent, platform: { architecture: 'arm', os: 'linux', variant: 'v7' } },
        attestation,
      ],
    }),
  );
  const { digest } = await s.content.ingest(streamOf(index));
  const configBytes = await s.content.read(image.id, maxConfigBytes);
  const names = [parseReference(`reg.example/app@${digest}`)];
  s.images.add([{ ...image, tagged: undefined, configBytes, blobs: [], documents: [digest], names }]);

  const { Descriptor, Manifests } = await manifestsOf(s, users, { id: image.id, image, index: undefined });
  assert.deepEqual(Descriptor, { mediaType: mediaTypes.index, digest, size: index.length });
  assert.deepEqual(
    Manifests.map(({ ID, Kind, Available, Size }) => [ID, Kind, Available, Size.Total > 0]),
    [
      [image.manifest, 'image', true, true],
      [absent.digest, 'image', false, false],
      [attestation.digest, 'attestation', false, false],
    ],
  );
  assert.deepEqual(Manifests[1]?.ImageData, {
    Platform: { architecture: 'arm', os: 'linux', variant: 'v7' },
    Containers: [],
    Size: { Unpacked: 0 },
  });
  assert.deepEqual(Manifests[2]?.AttestationData, { For: image.manifest });
});
