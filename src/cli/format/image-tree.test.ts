import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { ImageManifest, ImageSummary } from '#/wire/images.ts';
import { imageTree } from './image-tree.ts';

const id = (digit: string): string => `sha256:${digit.repeat(64)}`;

function image(digit: string, fields: Partial<ImageSummary>): ImageSummary {
  return {
    Id: id(digit),
    Containers: 0,
    Created: Number(digit),
    Labels: null,
    ParentId: '',
    RepoDigests: null,
    RepoTags: null,
    SharedSize: -1,
    Size: 1_000_000,
    ...fields,
  };
}

function variant(digit: string, architecture: string, containers: string[] | null): ImageManifest {
  return {
    ID: id(digit),
    Descriptor: { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: id(digit), size: 1 },
    Available: containers !== null,
    Size: containers === null ? { Content: 0, Total: 0 } : { Content: 300_000, Total: 1_000_000 },
    Kind: 'image',
    ImageData: {
      Platform: { os: 'linux', architecture, ...(architecture === 'arm' && { variant: 'v7' }) },
      Containers: containers,
      Size: { Unpacked: 0 },
    },
  };
}

const attestation: ImageManifest = {
  ID: id('e'),
  Descriptor: { mediaType: 'x', digest: id('e'), size: 1 },
  Available: true,
  Size: { Content: 100_000, Total: 100_000 },
  Kind: 'attestation',
  AttestationData: { For: id('a') },
};

const screen = (columns: number, isTTY = false) => ({
  columns,
  isTTY,
  rows: 24,
  stream: new PassThrough(),
  write: () => undefined,
});

const images = [
  image('1', {
    RepoTags: ['alpine:latest', 'registry.example/alpine:3'],
    Manifests: [variant('a', 'amd64', ['c1']), variant('b', 'arm', null), attestation],
  }),
  image('2', { Containers: 1 }),
];

test('imageTree: variants below their image, several names above each other, the newest first', () => {
  assert.deepEqual(imageTree(images, screen(0)).split('\n'), [
    '                                                              Info ->  U In Use',
    '',
    'IMAGE                       ID             DISK USAGE   CONTENT SIZE   EXTRA',
    '<untagged>                  222222222222          1MB             0B   U',
    '',
    'registry.example/alpine:3',
    'alpine:latest               111111111111          1MB          400kB   U',
    '├─ linux/amd64              aaaaaaaaaaaa          1MB          300kB   U',
    '└─ linux/arm/v7             bbbbbbbbbbbb           0B             0B',
    '',
    '',
  ]);
});

test('imageTree: a narrow terminal leaves columns out and cuts names', () => {
  const lines = imageTree(images, screen(30)).split('\n');
  assert.equal(lines[2], 'IMAGE             ID');
  assert.ok(
    lines.every((line) => line.length <= 30),
    lines.join('\n'),
  );
  assert.ok(imageTree(images, screen(5)).includes('└─ linux/arm/v7'));
});

test('imageTree: without variants there is no space between images', () => {
  const lines = imageTree([image('1', { RepoTags: ['a:1'] }), image('2', { RepoTags: ['b:1'] })], screen(80));
  assert.deepEqual(
    lines
      .split('\n')
      .slice(2)
      .map((line) => line.slice(0, 5)),
    ['IMAGE', 'b:1  ', 'a:1  ', ''],
  );
});
