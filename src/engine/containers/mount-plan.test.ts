import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EngineError } from '#/base/errors.ts';
import type { ContainerConfig, HostConfig } from '#/wire/containers.ts';
import type { MountPoint } from '#/wire/mounts.ts';
import { checkInheritance, inheritMounts, parseBind, planMounts } from './mount-plan.ts';

const config = (volumes: ContainerConfig['Volumes'] = null): ContainerConfig =>
  ({ Volumes: volumes }) as ContainerConfig;
const host = (change: Partial<HostConfig>): HostConfig =>
  ({ Binds: null, VolumeDriver: '', ...change }) as HostConfig;

test('parseBind: sources, modes and defaults', () => {
  const bind = parseBind('/a//b/:/c/:ro,rshared', '');
  assert.deepEqual(
    [
      bind.kind,
      bind.destination,
      bind.readOnly,
      bind.kind === 'bind' && bind.source,
      bind.kind === 'bind' && bind.propagation,
    ],
    ['bind', '/c', true, '/a/b', 'rshared'],
  );
  const named = parseBind('vol:/data:nocopy', '');
  assert.ok(named.kind === 'volume' && named.name === 'vol' && named.noCopy && named.mode === 'nocopy');
  assert.equal(parseBind('vol:/data', '').mode, 'z');
  const anonymous = parseBind('/data', '');
  assert.ok(anonymous.kind === 'volume' && anonymous.name === '' && anonymous.mode === '');
});

test("parseBind: Docker's refusals", () => {
  const wrong: readonly (readonly [string, string])[] = [
    [
      'foo',
      `invalid volume specification: 'foo': invalid mount config for type "volume": invalid mount path: 'foo' mount path must be absolute`,
    ],
    [
      '/a:b',
      `invalid volume specification: '/a:b': invalid mount config for type "bind": invalid mount path: 'b' mount path must be absolute`,
    ],
    [
      '/a:/',
      `invalid volume specification: '/a:/': invalid mount config for type "bind": invalid specification: destination can't be '/'`,
    ],
    ['/a:/b:zz', 'invalid mode: zz'],
    ['/a:/b:ro,rw', 'invalid mode: ro,rw'],
    ['a:/b:c:d', "invalid volume specification: 'a:/b:c:d'"],
    ['/foo:rw', "invalid volume specification: '/foo:rw'"],
  ];
  for (const [text, message] of wrong) assert.throws(() => parseBind(text, ''), { message }, text);
});

test('parseBind: whatever comes, a plan with a clean absolute destination or an EngineError', () => {
  const part = fc.stringMatching(/^[a-z/.:,]{0,12}$/);
  fc.assert(
    fc.property(part, (text) => {
      try {
        const { destination } = parseBind(text, '');
        assert.match(destination, /^\/(?!\/)/);
        assert.ok(!destination.split('/').includes('..') && destination.length > 1);
      } catch (error) {
        assert.ok(error instanceof EngineError);
      }
    }),
  );
});

test('planMounts: two for one destination are refused, also across kinds', () => {
  assert.throws(
    () => planMounts(config(), host({ Binds: ['/a:/b', '/c:/b'] }), []),
    /Duplicate mount point: \/b/,
  );
  const mounts = [{ Type: 'tmpfs', Target: '/b/' }] as const;
  assert.throws(
    () => planMounts(config(), host({ Binds: ['/a:/b'], Mounts: mounts }), []),
    /Duplicate mount point: \/b/,
  );
  assert.throws(() => planMounts(config(), host({ Binds: ['/a:/b'], Tmpfs: { '/b': '' } }), []), /Duplicate/);
});

test('planMounts: an explicit mount wins over an inherited one and over the VOLUME of the image', () => {
  const point: MountPoint = {
    Type: 'bind',
    Source: '/old',
    Destination: '/d',
    Mode: '',
    RW: true,
    Propagation: '',
  };
  const plan = planMounts(
    config({ '/d': {}, '/v': {} }),
    host({ Binds: ['/new:/d'] }),
    inheritMounts([point], ''),
  );
  assert.deepEqual(
    plan.map((mount) => [
      mount.destination,
      mount.kind,
      mount.kind === 'bind' ? mount.source : mount.kind === 'volume' ? mount.name : '',
    ]),
    [
      ['/d', 'bind', '/new'],
      ['/v', 'volume', ''],
    ],
  );
});

test('planMounts: a tmpfs takes the place of the VOLUME of the image', () => {
  assert.deepEqual(planMounts(config({ '/t': {} }), host({ Tmpfs: { '/t': 'size=1m' } }), []), []);
});

test('planMounts: entries of Mounts are checked as Docker does', () => {
  const refuse = (mount: object, message: RegExp): void =>
    assert.throws(() => planMounts(config(), host({ Mounts: [mount] }), []), message);
  refuse({ Type: 'foo', Target: '/x' }, /invalid mount config for type "foo": mount type unknown/);
  refuse({ Type: 'bind', Target: '/x' }, /field Source must not be empty/);
  refuse({ Type: 'tmpfs', Source: '/a', Target: '/x' }, /field Source must not be specified/);
  refuse({ Type: 'volume', Source: 'ab', Target: '' }, /field Target must not be empty/);
  refuse(
    { Type: 'volume', Source: 'ab', Target: '/x', VolumeOptions: { Subpath: '../y' } },
    /subpath must be a relative path/,
  );
  refuse(
    { Type: 'bind', Source: '/a', Target: '/x', VolumeOptions: {} },
    /field VolumeOptions must not be specified/,
  );
});

test('inheritMounts: ro makes all read-only, rw does not lift it', () => {
  const point: MountPoint = {
    Type: 'volume',
    Name: 'v',
    Source: '/s',
    Destination: '/d',
    Driver: 'local',
    Mode: '',
    RW: false,
    Propagation: '',
  };
  assert.deepEqual(
    inheritMounts([point], '').map(({ readOnly }) => readOnly),
    [true],
  );
  assert.deepEqual(
    inheritMounts([point], 'rw').map(({ readOnly }) => readOnly),
    [true],
  );
  for (const wrong of ['zz', 'nocopy']) assert.throws(() => checkInheritance(wrong), /invalid mode: /);
});
