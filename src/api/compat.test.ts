import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAsOf } from './compat.ts';
import { type CreateBody, createBody } from './decode/containers.ts';

function body(hostConfig: object, rest: object = {}): CreateBody {
  return createBody({ Image: 'x', HostConfig: hostConfig, ...rest }, '');
}

test('createAsOf: the newest version changes nothing', () => {
  const mount = { Type: 'bind', ReadOnly: true, BindOptions: { NonRecursive: true, CreateMountpoint: true } };
  const request = body({ AutoRemove: true, Annotations: { a: 'b' }, ConsoleSize: [1, 2], Mounts: [mount] });
  assert.deepEqual(createAsOf('1.51', request), request);
});

test('createAsOf: fields and defaults by version', () => {
  const host = (version: string): CreateBody['hostConfig'] =>
    createAsOf(version, body({ AutoRemove: true, Annotations: { a: 'b' }, ConsoleSize: [1, 2] })).hostConfig;
  assert.deepEqual([host('1.24').AutoRemove, host('1.25').AutoRemove], [false, true]);
  assert.deepEqual([host('1.39').IpcMode, host('1.40').IpcMode], ['shareable', '']);
  assert.deepEqual([host('1.40').CgroupnsMode, host('1.41').CgroupnsMode], ['host', '']);
  assert.deepEqual(
    [host('1.41').ConsoleSize, host('1.42').ConsoleSize],
    [
      [0, 0],
      [1, 2],
    ],
  );
  assert.deepEqual([host('1.42').Annotations, host('1.43').Annotations], [undefined, { a: 'b' }]);
});

test('createAsOf: read-only binds were not recursively so before 1.44', () => {
  const request = body({
    Mounts: [{ Type: 'bind', ReadOnly: true, BindOptions: { CreateMountpoint: true } }],
  });
  const bind = (version: string): unknown => createAsOf(version, request).hostConfig.Mounts?.[0]?.BindOptions;
  assert.deepEqual(bind('1.41'), { ReadOnlyNonRecursive: true });
  assert.deepEqual(bind('1.43'), { CreateMountpoint: true, ReadOnlyNonRecursive: true });
  assert.deepEqual(bind('1.44'), { CreateMountpoint: true });
});

test('createAsOf: one network before 1.44', () => {
  const request = body({}, { NetworkingConfig: { EndpointsConfig: { a: {}, b: {} } } });
  assert.throws(() => createAsOf('1.43', request), /multiple network endpoints: a, b/);
  assert.deepEqual(createAsOf('1.44', request), request);
});

test('createAsOf: a pids limit of zero or less is none', () => {
  assert.equal(createAsOf('1.51', body({ PidsLimit: -1 })).hostConfig.PidsLimit, null);
  assert.equal(createAsOf('1.51', body({ PidsLimit: 5 })).hostConfig.PidsLimit, 5);
});
