import assert from 'node:assert/strict';
import { existsSync, linkSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isMountPoint } from '#/kernel/mountinfo.ts';
import { openVolumes } from '#tests/volumes.ts';
import { anonymousLabel } from './volumes.ts';

const plain = { labels: null, options: null };
const tmpfs = { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,mode=700' };

test('VolumeStore: create makes a directory that only its mount shows to others', async () => {
  await using s = await openVolumes();
  const { volume, created } = await s.store.create({ name: 'v.1', labels: { a: 'b' }, options: {} });
  assert.equal(created, true);
  assert.deepEqual(
    { ...volume, created: '' },
    { name: 'v.1', created: '', labels: { a: 'b' }, options: {}, mountpoint: join(s.root, 'v.1', '_data') },
  );
  assert.match(volume.created, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.equal(statSync(s.root).mode & 0o777, 0o700);
  assert.equal(statSync(join(s.root, 'v.1')).mode & 0o777, 0o700);
  assert.equal(statSync(volume.mountpoint).mode & 0o777, 0o755);
});

test('VolumeStore: create answers an existing volume unchanged', async () => {
  await using s = await openVolumes();
  const first = await s.store.create({ name: 'vol', labels: { a: 'b' }, options: null });
  const again = await s.store.create({ name: 'vol', labels: { x: 'y' }, options: tmpfs });
  assert.deepEqual(again, { volume: first.volume, created: false });
  const both = await Promise.all([1, 2].map(() => s.store.create({ name: 'two', ...plain })));
  assert.deepEqual(both.filter((answer) => answer.created).length, 1);
});

test('VolumeStore: create without a name makes an anonymous volume', async () => {
  await using s = await openVolumes();
  const { volume } = await s.store.create({ name: '', ...plain });
  assert.match(volume.name, /^[0-9a-f]{64}$/);
  assert.deepEqual(volume.labels, { [anonymousLabel]: '' });
});

test('VolumeStore: create refuses bad names and options in the words of Docker, and leaves nothing', async () => {
  await using s = await openVolumes();
  const wrong: readonly (readonly [string, Record<string, string>, RegExp])[] = [
    ['a', {}, /^EngineError: create a: volume name is too short/],
    ['../x', {}, /create \.\.\/x: "\.\.\/x" includes invalid characters for a local volume name/],
    ['.x', {}, /includes invalid characters/],
    ['x\n', {}, /includes invalid characters/],
    ['x'.repeat(256), {}, /too long/],
    ['ok', { foo: 'bar' }, /create ok: invalid option: "foo"/],
    ['ok', { size: '1m' }, /quota size requested but no quota support/],
    ['ok', { type: 'tmpfs' }, /missing required option: "device"/],
    ['ok', { device: 'tmpfs' }, /missing required option: "type"/],
  ];
  for (const [name, options, message] of wrong) {
    await assert.rejects(s.store.create({ name, labels: null, options }), message);
  }
  assert.deepEqual(s.store.list(), []);
  assert.deepEqual(readdirSync(s.root), []);
});

test('VolumeStore: remove refuses while containers have it, then takes everything', async () => {
  await using s = await openVolumes();
  const { volume } = await s.store.create({ name: 'vol', ...plain });
  mkdirSync(join(volume.mountpoint, 'd'));
  writeFileSync(join(volume.mountpoint, 'd', 'f'), 'x');
  s.store.ref('vol', 'c1');
  s.store.ref('vol', 'c2');
  s.store.ref('vol', 'c2');
  await assert.rejects(s.store.remove('vol'), {
    kind: 'conflict',
    message: 'remove vol: volume is in use - [c1, c2]',
  });
  s.store.unref('vol', 'c1');
  s.store.unref('vol', 'c2');
  await s.store.remove('vol');
  assert.deepEqual(readdirSync(s.root), []);
  await assert.rejects(s.store.remove('vol'), { kind: 'notFound', message: 'get vol: no such volume' });
  assert.throws(() => s.store.ref('vol', 'c1'), /no such volume/);
});

test('VolumeStore: mount mounts the options once, unmount after the last container', async () => {
  await using s = await openVolumes();
  const { volume } = await s.store.create({ name: 'mem', labels: null, options: tmpfs });
  assert.equal(isMountPoint(volume.mountpoint), false);
  assert.equal(await s.store.mount('mem', 'c1'), volume.mountpoint);
  writeFileSync(join(volume.mountpoint, 'f'), 'x');
  await s.store.mount('mem', 'c2');
  await s.store.mount('mem', 'c2');
  await s.store.unmount('mem', 'c2');
  assert.ok(existsSync(join(volume.mountpoint, 'f')));
  await s.store.unmount('mem', 'c1');
  assert.equal(isMountPoint(volume.mountpoint), false);
});

test('VolumeStore: mount binds a directory, and tells why it cannot without the password', async () => {
  await using s = await openVolumes();
  const source = join(s.root, '..', 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'f'), 'x');
  await s.store.create({
    name: 'bound',
    labels: null,
    options: { type: 'none', device: source, o: 'bind' },
  });
  assert.ok(existsSync(join(await s.store.mount('bound', 'c'), 'f')));
  await s.store.remove('bound');
  assert.ok(existsSync(join(source, 'f')));
  const options = { type: 'none', device: '/nowhere', o: 'bind,password=secret' };
  await s.store.create({ name: 'lost', labels: null, options });
  await assert.rejects(s.store.mount('lost', 'c'), (error: Error) => {
    assert.match(error.message, /failed to mount local volume: mount \/nowhere:.*password=\*\*\*\*.*ENOENT/);
    assert.doesNotMatch(error.message, /secret/);
    return true;
  });
});

test('VolumeStore: mount tells that a network file system cannot be had', async () => {
  await using s = await openVolumes();
  const options = { type: 'nfs', device: ':/x', o: 'addr=127.0.0.1,soft,timeo=1,retrans=1' };
  await s.store.create({ name: 'net', labels: null, options });
  const error = /^EngineError: failed to mount local volume: mount :\/x:.*, data: addr=127\.0\.0\.1,.*: \w+/;
  await assert.rejects(s.store.mount('net', 'c'), error);
});

test('VolumeStore: a reopened store finds its volumes, frees those of dead containers and sweeps', async () => {
  await using s = await openVolumes();
  await s.store.create({ name: 'mem', labels: null, options: tmpfs });
  await s.store.create({ name: 'kept', labels: null, options: tmpfs });
  for (const name of ['mem', 'kept']) {
    s.store.ref(name, `c-${name}`);
    await s.store.mount(name, `c-${name}`);
  }
  mkdirSync(join(s.root, '.removing-x', 'deep'), { recursive: true });
  const reopened = await s.reopen();
  assert.equal(existsSync(join(s.root, '.removing-x')), false);
  await reopened.mount('kept', 'c-kept');
  reopened.reconcile({ containers: new Set(['c-kept']) });
  assert.deepEqual(reopened.users('mem'), []);
  assert.deepEqual(reopened.users('kept'), ['c-kept']);
  assert.equal(isMountPoint(reopened.get('mem').mountpoint), false);
  assert.equal(isMountPoint(reopened.get('kept').mountpoint), true);
});

test('VolumeStore: size counts each file once', async () => {
  await using s = await openVolumes();
  const { volume } = await s.store.create({ name: 'vol', ...plain });
  assert.equal(await s.store.size('vol'), 0);
  mkdirSync(join(volume.mountpoint, 'd'));
  writeFileSync(join(volume.mountpoint, 'd', 'f'), 'x'.repeat(1000));
  linkSync(join(volume.mountpoint, 'd', 'f'), join(volume.mountpoint, 'g'));
  assert.equal(await s.store.size('vol'), 1000);
});
