import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from './digest.ts';
import { encodeManifest, type Manifest, maxLayers, parseManifest } from './manifest.ts';
import { mediaTypes } from './media-types.ts';

const config = { mediaType: mediaTypes.config, digest: digestOf('c'), size: 1 };
const layer = { mediaType: mediaTypes.layerGzip, digest: digestOf('l'), size: 2 };

function bytes(document: object): Buffer {
  return Buffer.from(JSON.stringify({ schemaVersion: 2, ...document }));
}

test('parseManifest: reads back what encodeManifest writes, which is always the same', () => {
  const encoded = encodeManifest(config, [layer]);
  assert.deepEqual(encodeManifest(config, [layer]), encoded);
  assert.deepEqual(parseManifest(encoded, mediaTypes.manifest), {
    kind: 'manifest',
    mediaType: mediaTypes.manifest,
    config,
    layers: [layer],
  } satisfies Manifest);
});

test('parseManifest: reads an index with platforms and annotations', () => {
  const entry = {
    mediaType: mediaTypes.manifest,
    digest: digestOf('m'),
    size: 3,
    platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
    annotations: { a: 'b' },
  };
  const index = parseManifest(bytes({ manifests: [entry] }), mediaTypes.index);
  assert.deepEqual(index, {
    kind: 'index',
    mediaType: mediaTypes.index,
    manifests: [{ ...entry, platform: { ...entry.platform, osVersion: '' } }],
  });
});

test('parseManifest: a document that could be read as both kinds is refused', () => {
  const both = { config, layers: [], manifests: [] };
  for (const mediaType of [mediaTypes.manifest, mediaTypes.index]) {
    assert.throws(() => parseManifest(bytes(both), mediaType), /must not have a member/);
  }
  const stated = { mediaType: mediaTypes.dockerManifest, config, layers: [] };
  assert.throws(() => parseManifest(bytes(stated), mediaTypes.manifest), /announced as/);
  assert.throws(() => parseManifest(bytes({ fsLayers: [] }), mediaTypes.manifest), /fsLayers/);
});

test('parseManifest: refuses wrong versions, media types, digests, sizes and counts', () => {
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ schemaVersion: 1, config, layers: [] }, /schema version 1/],
    [
      { config: { ...config, mediaType: 'application/vnd.oci.empty.v1+json' }, layers: [] },
      /not the configuration/,
    ],
    [{ config, layers: [{ ...layer, mediaType: 'text/plain' }] }, /"text\/plain" are not supported/],
    [{ config, layers: [{ ...layer, digest: 'sha256:../../x' }] }, /layers\[0\]\.digest: not a digest/],
    [{ config, layers: [{ ...layer, size: -1 }] }, /layers\[0\]\.size/],
    [{ config, layers: Array.from({ length: maxLayers + 1 }, () => layer) }, /more than the 500/],
    [{ config }, /layers: expected an array/],
    [{ layers: [] }, /config/],
  ];
  for (const [document, message] of wrong) {
    assert.throws(() => parseManifest(bytes(document), mediaTypes.manifest), message);
  }
  assert.throws(() => parseManifest(bytes({}), 'application/json'), /neither an image manifest nor an index/);
});
