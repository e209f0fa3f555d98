import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { openSync } from 'node:fs';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { close } from './at.ts';
import { libc } from './libc.ts';
import { type FdWatch, type PollEvents, watchFd } from './poll.ts';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const MSG_DONTWAIT = 0x40;

function socketPair(): [number, number] {
  const fds = new Int32Array(2);
  assert.equal(libc.socketpair(AF_UNIX, SOCK_STREAM, 0, new Uint8Array(fds.buffer)), 0);
  return [fds[0] ?? -1, fds[1] ?? -1];
}

function write(fd: number, text: string): void {
  const data = Buffer.from(text);
  assert.equal(libc.send(fd, data, data.length, MSG_DONTWAIT), data.length);
}

function read(fd: number): string {
  const buffer = Buffer.alloc(100);
  return buffer.toString('utf8', 0, Math.max(0, libc.recv(fd, buffer, buffer.length, MSG_DONTWAIT)));
}

/** Lets the event loop poll some times. */
async function turns(): Promise<void> {
  for (let count = 0; count < 5; count++) await turn();
}

test('watchFd: calls back while the descriptor is readable, with promises running after each call', async () => {
  const [a, b] = socketPair();
  const log: string[] = [];
  const { promise: done, resolve } = Promise.withResolvers<void>();
  using _watch = watchFd(a, { readable: true, writable: false }, (events) => {
    log.push(`${events.readable} ${events.writable} ${read(a)}`);
    void Promise.resolve().then(() => {
      log.push('microtask');
      if (log.length === 2) write(b, 'two');
      else resolve();
    });
  });
  write(b, 'one');
  await done;
  assert.deepEqual(log, ['true false one', 'microtask', 'true false two', 'microtask']);
  _watch[Symbol.dispose]();
  close(a);
  close(b);
});

test('watchFd: update changes what is awaited, and nothing is allowed', async () => {
  const [a, b] = socketPair();
  const seen: PollEvents[] = [];
  const watch = watchFd(a, { readable: false, writable: false }, (events) => {
    seen.push(events);
    watch.update({ readable: false, writable: false });
  });
  write(b, 'x');
  await turns();
  assert.deepEqual(seen, []);
  watch.update({ readable: true, writable: false });
  await turns();
  watch.update({ readable: true, writable: true });
  await turns();
  assert.deepEqual(seen, [
    { readable: true, writable: false },
    { readable: true, writable: true },
  ]);
  watch[Symbol.dispose]();
  assert.throws(() => watch.update({ readable: true, writable: false }), /is closed/);
  close(a);
  close(b);
});

test('watchFd: after dispose no call comes, even one that was due', async () => {
  const pairs = [socketPair(), socketPair()];
  let calls = 0;
  const watches: FdWatch[] = pairs.map(([a]) =>
    watchFd(a, { readable: true, writable: false }, () => {
      calls++;
      for (const watch of watches) watch[Symbol.dispose]();
    }),
  );
  for (const [, b] of pairs) write(b, 'x');
  await turns();
  assert.equal(calls, 1);
  for (const fd of pairs.flat()) close(fd);
});

test('watchFd: an error on the descriptor is reported, again and again until it is read', async () => {
  const [a, b] = socketPair();
  write(a, 'never read');
  let calls = 0;
  const { promise: done, resolve } = Promise.withResolvers<void>();
  using _watch = watchFd(a, { readable: true, writable: false }, () => {
    if (++calls === 3) resolve();
  });
  close(b); // with data unread: ECONNRESET, which poll(2) reports as POLLERR
  await done;
  _watch[Symbol.dispose]();
  close(a);
});

test('watchFd: a descriptor can be watched again after dispose', async () => {
  const [a, b] = socketPair();
  write(b, 'x');
  for (let round = 0; round < 100; round++) {
    const { promise: called, resolve } = Promise.withResolvers<void>();
    using _watch = watchFd(a, { readable: true, writable: false }, () => resolve());
    await called;
  }
  close(a);
  close(b);
});

test('watchFd: refuses what cannot be watched', () => {
  const [a, b] = socketPair();
  using _watch = watchFd(a, { readable: true, writable: false }, () => {});
  assert.throws(() => watchFd(a, { readable: true, writable: false }, () => {}), { code: 'EEXIST' });
  const file = openSync(import.meta.filename, 'r');
  assert.throws(() => watchFd(file, { readable: true, writable: false }, () => {}), { code: 'EPERM' });
  assert.throws(() => watchFd(9999, { readable: true, writable: false }, () => {}), { code: 'EBADF' });
  _watch[Symbol.dispose]();
  for (const fd of [a, b, file]) close(fd);
});

test('watchFd: refuses other threads', async () => {
  const worker = new Worker(
    `const { workerData, parentPort } = require('node:worker_threads');
     import(workerData).then(({ watchFd }) => {
       try { watchFd(0, { readable: true, writable: false }, () => {}); } catch (error) { parentPort.postMessage(error.message); }
     });`,
    { eval: true, workerData: new URL('./poll.ts', import.meta.url).href },
  );
  const message = await new Promise((resolve) => worker.once('message', resolve));
  assert.match(String(message), /main thread only/);
  await worker.terminate();
});

test('watchFd: a program ends while an unreferenced watch is ready, and does not end while a watch waits', () => {
  const program = (tail: string): string => `
    const { libc } = await import('${new URL('./libc.ts', import.meta.url).href}');
    const { watchFd } = await import('${new URL('./poll.ts', import.meta.url).href}');
    const fds = new Int32Array(2);
    libc.socketpair(1, 1, 0, new Uint8Array(fds.buffer));
    let calls = 0;
    const watch = watchFd(fds[0], { readable: true, writable: false }, () => { console.log('called'); watch[Symbol.dispose](); });
    ${tail}`;
  const run = (tail: string): { status: number | null; out: string } => {
    const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program(tail)], {
      encoding: 'utf8',
    });
    return { status, out: stdout };
  };
  assert.deepEqual(run('watch.unref();'), { status: 0, out: '' });
  assert.deepEqual(
    run("watch.unref(); process.on('exit', () => libc.send(fds[1], Buffer.from('x'), 1, 0));"),
    {
      status: 0,
      out: '',
    },
  );
  assert.deepEqual(run("setTimeout(() => libc.send(fds[1], Buffer.from('x'), 1, 0), 20).unref();"), {
    status: 0,
    out: 'called\n',
  });
});
