import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from './digest.ts';
import { encodeImageConfig, type ImageConfig, parseImageConfig } from './image-config.ts';

const full: ImageConfig = {
  architecture: 'arm',
  os: 'linux',
  variant: 'v7',
  osVersion: '1',
  author: 'me',
  created: '2026-01-02T03:04:05.123456789Z',
  comment: 'c',
  dockerVersion: '',
  config: {
    User: '1:2',
    ExposedPorts: { '80/tcp': {} },
    Env: ['A=b'],
    Entrypoint: [],
    Cmd: ['sh'],
    Volumes: { '/v': {} },
    WorkingDir: '/w',
    Labels: { l: 'm' },
    StopSignal: 'SIGINT',
    Healthcheck: { Test: ['CMD', 'true'], Interval: 1_000_000_000, Retries: 3 },
    OnBuild: ['RUN x'],
    Shell: ['/bin/sh', '-c'],
  },
  diffIds: [digestOf('a'), digestOf('b')],
  history: [
    { created: '2026-01-01T00:00:00+02:00', createdBy: 'x', author: 'y', comment: 'z', emptyLayer: false },
    { createdBy: '', author: '', comment: '', emptyLayer: true },
  ],
};

function parse(document: object): ImageConfig {
  return parseImageConfig(Buffer.from(JSON.stringify(document)));
}

test('parseImageConfig: reads back what encodeImageConfig writes', () => {
  assert.deepEqual(parseImageConfig(encodeImageConfig(full)), full);
});

test('parseImageConfig: null and absent are the same, unknown members are ignored', () => {
  const config = parse({
    rootfs: { type: 'layers', diff_ids: null },
    config: { Cmd: null, Tty: false },
    x: 1,
  });
  assert.deepEqual(config.config, {});
  assert.deepEqual(config.diffIds, []);
  assert.equal(config.created, undefined);
  assert.equal(parse({ rootfs: {} }).config, undefined);
});

test('parseImageConfig: drops the trailing zeros of a time as Go does', () => {
  assert.equal(parse({ rootfs: {}, created: '2026-01-02T03:04:05.100Z' }).created, '2026-01-02T03:04:05.1Z');
  assert.equal(parse({ rootfs: {}, created: '2026-01-02T03:04:05.000Z' }).created, '2026-01-02T03:04:05Z');
});

test('parseImageConfig: refuses what is not an image configuration', () => {
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{}, /no RootFS key/],
    [{ rootfs: { type: 'squash' } }, /unsupported type "squash"/],
    [{ rootfs: { diff_ids: ['x'] } }, /diff_ids\[0\]: not a digest/],
    [{ rootfs: {}, created: 'yesterday' }, /not a time/],
    [{ rootfs: {}, created: '2026-13-02T03:04:05Z' }, /not a time/],
    [{ rootfs: {}, config: { Cmd: 'sh' } }, /config\.Cmd: expected an array/],
    [{ rootfs: {}, config: { Labels: { a: 1 } } }, /config\.Labels\.a: expected a string/],
    [{ rootfs: {}, config: { Volumes: ['/x'] } }, /config\.Volumes: expected an object/],
    [{ rootfs: {}, config: { Volumes: { '/x': { y: 1 } } } }, /more than the 0/],
    [{ rootfs: {}, history: [{ empty_layer: 'yes' }] }, /history\[0\]\.empty_layer/],
  ];
  for (const [document, message] of wrong) assert.throws(() => parse(document), message);
});
