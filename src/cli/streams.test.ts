import assert from 'node:assert/strict';
import { PassThrough, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { encodeFrame } from '#/wire/frames.ts';
import { copyBytes, copyFrames } from './streams.ts';

async function* chunks(...parts: Buffer[]): AsyncGenerator<Buffer> {
  yield* parts;
}

test('copyFrames: each stream to its own output, what has none is dropped', async () => {
  const stdout = new PassThrough();
  const source = Buffer.concat([
    encodeFrame('stdout', Buffer.from('out')),
    encodeFrame('stderr', Buffer.from('err')),
    encodeFrame('stdout', Buffer.from('put')),
  ]);
  await copyFrames(chunks(source.subarray(0, 5), source.subarray(5)), { stdout });
  stdout.end();
  assert.equal(await text(stdout), 'output');
});

test('copyFrames: an error that the daemon sends in the stream is thrown at the end', async () => {
  const source = encodeFrame('systemerr', Buffer.from('disk gone'));
  await assert.rejects(copyFrames(chunks(source), {}), { message: 'error from daemon in stream: disk gone' });
});

test('copyBytes: reads no faster than the output takes', async () => {
  let held = 0;
  let most = 0;
  async function* source(): AsyncGenerator<Buffer> {
    for (let index = 0; index < 200; index += 1) {
      held += 1000;
      most = Math.max(most, held);
      yield Buffer.alloc(1000);
    }
  }
  const slow = new Writable({
    highWaterMark: 4000,
    write(data: Buffer, _encoding, done) {
      setImmediate(() => {
        held -= data.length;
        done();
      });
    },
  });
  await copyBytes(source(), slow);
  assert.ok(most <= 6000, String(most));
});
