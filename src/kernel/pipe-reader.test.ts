import assert from 'node:assert/strict';
import { closeSync, readdirSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { PipeReader } from './pipe-reader.ts';
import { makePipe } from './spawn.ts';

/** A reader that notes what comes. */
function open(): { reader: PipeReader; write: number; got: string[] } {
  const pipe = makePipe();
  const got: string[] = [];
  const reader = new PipeReader(pipe.read);
  reader.onData = (data) => got.push(data.toString());
  reader.onEnd = (error) => got.push(error === undefined ? 'END' : error.message);
  return { reader, write: pipe.write, got };
}

/** Gives the event loop time to notice what is there. */
async function turns(): Promise<void> {
  for (let count = 0; count < 5; count += 1) await turn();
}

test('PipeReader: bytes and the end arrive, and then nothing is open', async () => {
  const before = readdirSync('/proc/self/fd').length;
  const { write, got } = open();
  writeSync(write, 'one');
  await turns();
  assert.deepEqual(got, ['one']);
  writeSync(write, 'two');
  closeSync(write);
  await turns();
  assert.deepEqual(got, ['one', 'two', 'END']);
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

test('PipeReader: a pause leaves bytes where they are; drain takes what is there without waiting for the writer', async () => {
  const { reader, write, got } = open();
  reader.pause();
  writeSync(write, 'a');
  await turns();
  assert.deepEqual(got, []);
  reader.drain(1);
  assert.deepEqual(got, ['a']);
  reader.drain(100);
  assert.deepEqual(got, ['a'], 'the pipe is empty and open');
  writeSync(write, 'b');
  await turns();
  assert.deepEqual(got, ['a', 'b'], 'drain ends the pause');
  reader.close();
  reader.close();
  assert.throws(() => writeSync(write, 'c'), { code: 'EPIPE' });
  closeSync(write);
  assert.deepEqual(got, ['a', 'b']);
});
