import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frame, Unframer } from './framing.ts';

test('Unframer: finds messages however the bytes are cut', () => {
  const messages = ['', 'a', 'two', 'x'.repeat(1000), '', 'end'];
  const bytes = Buffer.concat(messages.map((text) => frame(Buffer.from(text))));
  for (const size of [1, 2, 3, 5, 7, 64, 1004, bytes.length]) {
    const unframer = new Unframer();
    const found: string[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      for (const message of unframer.take(bytes.subarray(at, at + size))) found.push(message.toString());
    }
    assert.deepEqual(found, messages, `pieces of ${size} bytes`);
    assert.equal(unframer.isIncomplete, false);
  }
});

test('Unframer: tells of a message that is not complete', () => {
  const unframer = new Unframer();
  assert.deepEqual([...unframer.take(frame(Buffer.from('abc')).subarray(0, 6))], []);
  assert.equal(unframer.isIncomplete, true);
});

test('Unframer: refuses what is too large before it comes, and what is compressed', () => {
  const large = Buffer.from([0, 0xff, 0xff, 0xff, 0xff]);
  assert.throws(() => [...new Unframer().take(large)], /a message has 4294967295 bytes/);
  assert.throws(() => [...new Unframer().take(Buffer.from([1, 0, 0, 0, 1, 65]))], /compressed/);
});
