import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerConfig } from '#/wire/containers.ts';
import { commandOf, mergeImageConfig } from './merge.ts';

const zero: ContainerConfig = {
  Hostname: '',
  Domainname: '',
  User: '',
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: null,
  Cmd: null,
  Image: 'i',
  Volumes: null,
  WorkingDir: '',
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
};
const image = {
  User: 'u',
  Env: ['PATH=/bin', 'A=image'],
  Cmd: ['arg'],
  Entrypoint: ['/entry'],
  WorkingDir: '/w',
  StopSignal: 'SIGINT',
  Labels: { a: 'image', b: 'image' },
  ExposedPorts: { '80/tcp': {} },
  Volumes: { '/v': {} },
};

test('mergeImageConfig: what the request leaves open comes from the image', () => {
  const merged = mergeImageConfig(zero, image);
  assert.deepEqual(commandOf(merged), { path: '/entry', args: ['arg'] });
  assert.deepEqual(
    [merged.User, merged.WorkingDir, merged.StopSignal, merged.ExposedPorts, merged.Volumes],
    ['u', '/w', 'SIGINT', { '80/tcp': {} }, { '/v': {} }],
  );
});

test('mergeImageConfig: the request wins; lists of names are joined', () => {
  const request = {
    ...zero,
    User: 'me',
    Env: ['A=own'],
    Labels: { a: 'own' },
    ExposedPorts: { '81/tcp': {} },
    Cmd: ['x'],
  };
  const merged = mergeImageConfig(request, image);
  assert.deepEqual(merged.Env, ['A=own', 'PATH=/bin']);
  assert.deepEqual(merged.Labels, { a: 'own', b: 'image' });
  assert.deepEqual(Object.keys(merged.ExposedPorts ?? {}), ['80/tcp', '81/tcp']);
  assert.deepEqual([merged.User, merged.Cmd, merged.Entrypoint], ['me', ['x'], ['/entry']]);
});

test("mergeImageConfig: an own entrypoint does not get the image's arguments", () => {
  assert.deepEqual(commandOf(mergeImageConfig({ ...zero, Entrypoint: ['/own'] }, image)), {
    path: '/own',
    args: [],
  });
  assert.deepEqual(commandOf(mergeImageConfig({ ...zero, Entrypoint: [''], Cmd: ['sh'] }, image)), {
    path: 'sh',
    args: [],
  });
});

test('commandOf: nothing to run is refused', () => {
  assert.throws(() => commandOf(zero), /no command specified/);
  assert.throws(() => commandOf(mergeImageConfig({ ...zero, Entrypoint: [''] }, {})), /no command specified/);
});
