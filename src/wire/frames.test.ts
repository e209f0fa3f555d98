import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeFrame, FrameDecoder, frameHeader, type StreamName } from './frames.ts';

const frames = fc.array(
  fc.record({
    stream: fc.constantFrom<StreamName>('stdin', 'stdout', 'stderr', 'systemerr'),
    data: fc.uint8Array({ maxLength: 64 }),
  }),
);

test('frameHeader: stream number, zeros, big-endian length', () => {
  assert.deepEqual([...frameHeader('stderr', 0x01020304)], [2, 0, 0, 0, 1, 2, 3, 4]);
});

test('FrameDecoder: gives back what was encoded, however the bytes are cut', () => {
  fc.assert(
    fc.property(frames, fc.integer({ min: 1, max: 40 }), (sent, size) => {
      const bytes = Buffer.concat(sent.map(({ stream, data }) => encodeFrame(stream, data)));
      const decoder = new FrameDecoder();
      const got: { stream: StreamName; data: number[] }[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        for (const { stream, data } of decoder.push(bytes.subarray(at, at + size))) {
          const last = got.at(-1);
          if (last?.stream === stream) last.data.push(...data);
          else got.push({ stream, data: [...data] });
        }
      }
      decoder.end();
      const expected: { stream: StreamName; data: number[] }[] = [];
      for (const { stream, data } of sent) {
        if (data.length === 0) continue;
        const last = expected.at(-1);
        if (last?.stream === stream) last.data.push(...data);
        else expected.push({ stream, data: [...data] });
      }
      assert.deepEqual(got, expected);
    }),
  );
});

test('FrameDecoder: refuses an unknown stream and an end inside a frame', () => {
  assert.throws(
    () => [...new FrameDecoder().push(Buffer.from([9, 0, 0, 0, 0, 0, 0, 1]))],
    /unrecognized stream: 9/,
  );
  for (const cut of [1, 8, 9]) {
    const decoder = new FrameDecoder();
    assert.ok([...decoder.push(encodeFrame('stdout', Buffer.from('ab')).subarray(0, cut))].length < 2);
    assert.throws(() => decoder.end(), /ended inside a frame/);
  }
});
