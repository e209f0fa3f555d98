import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ClientFrames } from './websocket.ts';

function frame(
  opcode: number,
  data: Uint8Array,
  { fin = true, mask = Buffer.from([1, 2, 3, 4]) } = {},
): Buffer {
  const long = data.length > 0xffff;
  const length = data.length < 126 ? Buffer.alloc(0) : Buffer.alloc(long ? 8 : 2);
  if (long) length.writeBigUInt64BE(BigInt(data.length));
  else if (length.length > 0) length.writeUInt16BE(data.length);
  const short = data.length < 126 ? data.length : long ? 127 : 126;
  const masked = Buffer.from(data).map((byte, i) => byte ^ (mask[i % 4] ?? 0));
  return Buffer.concat([Buffer.from([(fin ? 0x80 : 0) | opcode, 0x80 | short]), length, mask, masked]);
}

function decode(bytes: Buffer, size: number): { kind: string; data: string }[] {
  const frames = new ClientFrames();
  const parts: { kind: string; data: string }[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    for (const { kind, data } of frames.push(Buffer.from(bytes.subarray(at, at + size)))) {
      const last = parts.at(-1);
      if (kind === 'data' && last?.kind === 'data') last.data += data.toString('latin1');
      else parts.push({ kind, data: data.toString('latin1') });
    }
  }
  return parts;
}

test('ClientFrames: the byte stream comes through however it is framed and cut', () => {
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ minLength: 65530, maxLength: 65540 }),
  );
  fc.assert(
    fc.property(fc.array(payload, { maxLength: 4 }), fc.integer({ min: 1, max: 5000 }), (payloads, size) => {
      const bytes = Buffer.concat(payloads.map((data, i) => frame(i === 0 ? 2 : 0, data, { fin: false })));
      const got = decode(bytes, size)
        .map(({ data }) => data)
        .join('');
      assert.equal(got, Buffer.concat(payloads).toString('latin1'));
    }),
    { numRuns: 50 },
  );
});

test('ClientFrames: pings between fragments, and nothing after a close', () => {
  const bytes = Buffer.concat([
    frame(2, Buffer.from('a'), { fin: false }),
    frame(9, Buffer.from('ping')),
    frame(9, Buffer.alloc(0)),
    frame(0, Buffer.from('b')),
    frame(8, Buffer.from([3, 232])),
    frame(2, Buffer.from('late')),
  ]);
  const expected = [
    { kind: 'data', data: 'a' },
    { kind: 'ping', data: 'ping' },
    { kind: 'ping', data: '' },
    { kind: 'data', data: 'b' },
    { kind: 'close', data: '\x03\xe8' },
  ];
  for (const size of [1, 2, 7, 1000]) assert.deepEqual(decode(bytes, size), expected, String(size));
});

test('ClientFrames: refuses what breaks the protocol', () => {
  const unmasked = Buffer.from([0x82, 0x01, 0x61]);
  const reserved = frame(2, Buffer.from('a'));
  reserved[0] = 0xc2;
  const cases: [Buffer, RegExp][] = [
    [unmasked, /must be masked/],
    [reserved, /reserved bits/],
    [frame(3, Buffer.from('a')), /unknown opcode 3/],
    [frame(9, Buffer.alloc(126)), /control frames/],
    [frame(8, Buffer.alloc(1), { fin: false }), /control frames/],
  ];
  for (const [bytes, message] of cases) assert.throws(() => decode(bytes, 1000), message);
});
