import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { scratchDir } from '#tests/scratch-dir.ts';
import { TreeThreads } from '../tree/tree-threads.ts';
import { breakRing, chunkRing, RingWriter, ringChunks } from './chunk-ring.ts';
import { hashTree } from './hash-tree.ts';

test('ChunkRing: chunks come out as they went in, more than fit at once', () => {
  const ring = chunkRing();
  const writer = new RingWriter(ring);
  const reader = ringChunks(ring);
  const put = (text: string): void => writer.put(writer.next().write(text));
  let read = 0;
  for (let n = 0; n < 100; n += 1) {
    put(`chunk ${n}`);
    if (n % 8 < 5) continue;
    for (; read < n; read += 1) assert.equal(reader.next().value?.toString(), `chunk ${read}`);
  }
  writer.end();
  assert.deepEqual(
    [...reader].map(String),
    Array.from({ length: 100 - read }, (_, i) => `chunk ${read + i}`),
  );
});

test('ChunkRing: each side hears when the other one is gone', () => {
  const ring = chunkRing();
  const writer = new RingWriter(ring);
  writer.put(writer.next().write('last'));
  breakRing(ring);
  const reader = ringChunks(ring);
  assert.equal(reader.next().value?.toString(), 'last');
  assert.throws(() => reader.next(), /there is no end/);
  assert.throws(() => writer.next(), /nobody takes/);
});

test('TreeThreads.hash: many at the same time, with the results of one thread; failures and aborts reach who asked', async () => {
  using scratch = scratchDir();
  await using threads = new TreeThreads();
  const jobs = Array.from({ length: 7 }, (_, index) => {
    const path = scratch.join(`tree-${index}`);
    mkdirSync(path);
    for (let n = 0; n < 20; n += 1) writeFileSync(`${path}/${n}`, Buffer.alloc(300_000 + index, n));
    return { source: { kind: 'tree' as const, path } };
  });
  const stop = new AbortController();
  const reason = new Error('enough');
  const aborted = threads.hash(jobs[0] as never, { signal: stop.signal }).catch((error: unknown) => error);
  const all = Promise.all(jobs.map((job) => threads.hash(job)));
  stop.abort(reason);
  assert.equal(await aborted, reason);
  const alone = await Promise.all(jobs.map((job) => hashTree(job)));
  assert.deepEqual(await all, alone);
  const [first] = jobs;
  const missing = {
    kind: 'difference' as const,
    path: first?.source.path ?? '',
    before: scratch.join('none'),
  };
  await assert.rejects(threads.hash({ source: missing }), /ENOENT/);
  assert.deepEqual(await threads.hash(first as never), alone[0]);
});
