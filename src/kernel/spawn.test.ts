import assert from 'node:assert/strict';
import { closeSync, readdirSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { duplicate, makePipe, reap, type SpawnRequest, spawnProgram } from './spawn.ts';

/** Runs a shell script to its end and returns what it wrote to descriptor 1. */
async function shell(script: string, more: Partial<SpawnRequest> = {}): Promise<string> {
  const pipe = makePipe();
  const out = new Socket({ fd: pipe.read, readable: true, writable: false });
  const fds = new Map([[1, pipe.write], ...(more.fds ?? [])]);
  const pid = spawnProgram({ path: '/bin/sh', args: ['sh', '-c', script], env: {}, cwd: '/', ...more, fds });
  closeSync(pipe.write);
  const output = await text(out);
  for (let attempt = 0; attempt < 500 && reap(pid) === 'running'; attempt += 1) await sleep(10);
  return output;
}

test('spawnProgram: arguments, environment, folder and descriptors are those given, and no others', async () => {
  assert.equal(await shell('echo "$A $(pwd)"', { env: { A: 'x y' }, cwd: '/usr' }), 'x y /usr\n');
  assert.equal(await shell('env', { env: {} }), 'PWD=/\n');
  const fds = await shell('/bin/ls /proc/self/fd');
  // ls itself opens 3 to read the folder.
  const own = fds
    .trim()
    .split('\n')
    .map(Number)
    .filter((fd) => fd < 64);
  assert.deepEqual(own, [0, 1, 2, 3]);
  const extra = makePipe();
  assert.equal(await shell('echo to 7 >&7; echo done', { fds: new Map([[7, extra.write]]) }), 'done\n');
  closeSync(extra.write);
  assert.equal(await text(new Socket({ fd: extra.read, readable: true, writable: false })), 'to 7\n');
});

test('spawnProgram: signals have their defaults', async () => {
  const status = await shell('/bin/cat /proc/self/status', {});
  assert.match(status, /^SigIgn:\s+0+$/m);
  assert.match(status, /^SigBlk:\s+0+$/m);
});

test('spawnProgram: a missing program is ENOENT with its path, and nothing stays open', () => {
  const before = readdirSync('/proc/self/fd').length;
  const request = { path: '/nonexistent/x', args: ['x'], env: {}, cwd: '/', fds: new Map<number, number>() };
  assert.throws(() => spawnProgram(request), { code: 'ENOENT', path: '/nonexistent/x' });
  assert.throws(() => spawnProgram({ ...request, args: ['a\0b'] }), /NUL/);
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

test('reap: tells when a process has ended and leaves no zombie', async () => {
  const go = makePipe();
  const pid = spawnProgram({
    path: '/bin/cat',
    args: ['cat'],
    env: {},
    cwd: '/',
    fds: new Map([[0, go.read]]),
  });
  assert.equal(reap(pid), 'running');
  closeSync(duplicate(go.write));
  closeSync(go.write);
  closeSync(go.read);
  for (let attempt = 0; attempt < 500 && reap(pid) === 'running'; attempt += 1) await sleep(10);
  assert.throws(() => readFileSync(`/proc/${pid}/stat`), { code: 'ENOENT' });
});
