import assert from 'node:assert/strict';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { close } from './at.ts';
import { createNetns, inNetns, removeNetns, warmThreadPool } from './namespaces.ts';
import { bindPort } from './socket-bind.ts';

const dir = mkdtempSync('/run/netns-test-');
after(() => rmSync(dir, { recursive: true }));

const current = (): string => readlinkSync('/proc/thread-self/ns/net');
const openFds = (): number => readdirSync('/proc/self/fd').length;

test('createNetns: pins a new namespace and comes back', () => {
  const path = join(dir, 'new');
  const home = current();
  createNetns(path);
  assert.equal(current(), home);
  assert.equal(statSync(path).mode & 0o777, 0o444);
  const inside = inNetns(path, () => ({
    ns: current(),
    devices: readFileSync('/proc/thread-self/net/dev', 'utf8'),
  }));
  assert.notEqual(inside.ns, home);
  assert.equal(inside.devices.trim().split('\n').length, 3, 'two lines of heading and the loopback device');
  removeNetns(path);
  assert.equal(existsSync(path), false);
});

test('createNetns: leaves what exists alone, and nothing of its own on failure', () => {
  const path = join(dir, 'taken');
  writeFileSync(path, 'mine');
  assert.throws(() => createNetns(path), { code: 'EEXIST' });
  assert.equal(readFileSync(path, 'utf8'), 'mine');
  assert.throws(() => createNetns(join(dir, 'no', 'such')), { code: 'ENOENT' });
});

test('removeNetns: may be repeated', () => {
  const path = join(dir, 'twice');
  createNetns(path);
  removeNetns(path);
  removeNetns(path);
});

test('inNetns: comes back when the function throws', () => {
  const path = join(dir, 'throws');
  const home = current();
  createNetns(path);
  assert.throws(
    () =>
      inNetns(path, () => {
        throw new Error('boom');
      }),
    /boom/,
  );
  assert.equal(current(), home);
  removeNetns(path);
});

test('inNetns: refuses asynchronous functions', () => {
  const path = join(dir, 'async');
  const home = current();
  createNetns(path);
  assert.throws(
    () => inNetns(path, async () => Promise.reject(new Error('late'))),
    /needs a synchronous function/,
  );
  assert.equal(current(), home);
  removeNetns(path);
});

test('inNetns: refuses what is no namespace', () => {
  writeFileSync(join(dir, 'plain'), '');
  assert.throws(() => inNetns(join(dir, 'plain'), () => 1), { code: 'EINVAL', syscall: 'setns' });
  assert.throws(() => inNetns(join(dir, 'none'), () => 1), { code: 'ENOENT' });
});

test('inNetns: nests', () => {
  const [a, b] = [join(dir, 'a'), join(dir, 'b')];
  createNetns(a);
  createNetns(b);
  const seen = inNetns(a, () => [current(), inNetns(b, current), current()]);
  assert.equal(seen[0], seen[2]);
  assert.notEqual(seen[0], seen[1]);
  removeNetns(a);
  removeNetns(b);
});

test('namespaces: no descriptor stays open', () => {
  const path = join(dir, 'fds');
  const before = openFds();
  for (let round = 0; round < 10; round++) {
    createNetns(path);
    inNetns(path, () => 0);
    assert.throws(() => createNetns(path), { code: 'EEXIST' });
    removeNetns(path);
  }
  assert.equal(openFds(), before);
});

test('warmThreadPool: every thread of the process is in its own namespace after switches', async () => {
  await warmThreadPool();
  const path = join(dir, 'threads');
  createNetns(path);
  const reads = inNetns(path, () => ({
    started: [1, 2, 3, 4].map((n) => stat(`/proc/${n}`).catch(() => n)),
  }));
  await Promise.all(reads.started);
  const threads = readdirSync('/proc/self/task').map((tid) => readlinkSync(`/proc/self/task/${tid}/ns/net`));
  assert.deepEqual([...new Set(threads)], [current()]);
  removeNetns(path);
});

test('inNetns: a socket opened inside works outside, and belongs to the namespace', () => {
  const path = join(dir, 'socket');
  createNetns(path);
  const outside = bindPort({ proto: 'udp', ip: '0.0.0.0', port: 0 });
  const inside = inNetns(path, () => bindPort({ proto: 'udp', ip: '0.0.0.0', port: outside.port }));
  assert.equal(inside.port, outside.port);
  close(inside.fd);
  close(outside.fd);
  removeNetns(path);
});
