import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildEvent } from '#/builder/progress.ts';
import type { Digest } from '#/oci/digest.ts';
import { ProgressFeed } from './progress-feed.ts';

const never = new AbortController().signal;
const vertex = `sha256:${'1'.repeat(64)}` as Digest;
const time = new Date(1000);

function log(bytes: number): BuildEvent {
  return { kind: 'log', vertex, stream: 1, time, data: Buffer.alloc(bytes, 'x') };
}

test('ProgressFeed: tells everything to those who come late, and ends with the build', async () => {
  const feed = new ProgressFeed();
  void feed.push({ kind: 'vertex', digest: vertex, name: 'RUN x', inputs: [], cached: false, started: time });
  void feed.push(log(10));
  void feed.push({ kind: 'status', vertex, id: 'copying', current: 5, total: 10, started: time });
  const source = { name: 'Dockerfile', lines: ['FROM x', 'RUN x', ''] };
  void feed.push({
    kind: 'warning',
    vertex,
    rule: 'R',
    short: 's',
    detail: ['d'],
    url: 'u',
    source,
    lines: [2, 3],
  });
  void feed.push({
    kind: 'vertex',
    digest: vertex,
    name: 'RUN x',
    inputs: [],
    cached: true,
    completed: time,
  });
  feed.close();
  const messages = await Array.fromAsync(feed.follow({ signal: never }));
  assert.equal(messages.length, 1);
  const [message] = messages;
  assert.deepEqual(
    message?.vertexes.map(({ name, cached, started, completed }) => [
      name,
      cached,
      started?.seconds,
      completed?.seconds,
    ]),
    [
      ['RUN x', false, 1n, undefined],
      ['RUN x', true, undefined, 1n],
    ],
  );
  assert.equal(message.logs[0]?.msg.length, 10);
  assert.equal(message.statuses[0]?.current, 5n);
  assert.equal(message.warnings[0]?.ranges[0]?.end?.line, 3);
  const info = message.warnings[0]?.info;
  assert.deepEqual(
    [info?.filename, info?.language, Buffer.from(info?.data ?? []).toString()],
    ['Dockerfile', 'Dockerfile', 'FROM x\nRUN x\n'],
  );
  assert.deepEqual(feed.counts, { total: 1, completed: 1, cached: 1, warnings: 1 });
});

test('ProgressFeed: makes those who write wait for a reader that is slow, until it leaves', async () => {
  const feed = new ProgressFeed();
  const reader = feed.follow({ signal: never });
  void feed.push(log(1));
  await reader.next();
  assert.equal(feed.push(log(1024 * 1024)), undefined);
  const waiting = feed.push(log(4 * 1024 * 1024));
  assert.ok(waiting instanceof Promise);
  await reader.return(undefined);
  await waiting;
});

test('ProgressFeed: keeps the latest output only where nobody reads', async () => {
  const feed = new ProgressFeed();
  for (let count = 0; count < 100; count++) assert.equal(feed.push(log(1024 * 1024)), undefined);
  const read = async (): Promise<number> => {
    let bytes = 0;
    for await (const { logs } of feed.follow({ signal: never })) {
      for (const { msg } of logs) bytes += msg.length;
    }
    return bytes;
  };
  const reading = read();
  feed.close();
  const bytes = await reading;
  assert.ok(bytes > 10 * 1024 * 1024 && bytes <= 16 * 1024 * 1024, `${bytes} bytes were kept`);
  assert.ok((await read()) <= 2 * 1024 * 1024, 'less is kept of a build that has ended');
});
