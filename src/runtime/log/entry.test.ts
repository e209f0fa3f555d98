import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatTime, type LogEntry, parseLogLine, peekLogLine } from './entry.ts';
import { LineJoiner } from './lines.ts';

function lineOf({ time, stream, data, partial }: LogEntry): Buffer {
  const head = `${formatTime(time).replace('Z', '+00:00')} ${stream} ${partial ? 'P' : 'F'} `;
  return Buffer.concat([Buffer.from(head), partial ? data : data.subarray(0, -1)]);
}

const anyEntry = fc
  .record({
    time: fc.bigInt({ min: 0n, max: 4_000_000_000_000_000_000n }),
    stream: fc.constantFrom('stdout' as const, 'stderr' as const),
    bytes: fc.uint8Array({ maxLength: 200 }),
    partial: fc.boolean(),
  })
  .map(({ bytes, partial, ...rest }): LogEntry => {
    const text = bytes.filter((byte) => byte !== 0x0a);
    return { ...rest, partial, data: Buffer.from(partial ? text : [...text, 0x0a]) };
  });

test('parseLogLine: gives back any entry that was written', () => {
  fc.assert(
    fc.property(anyEntry, (entry) => {
      assert.deepEqual(parseLogLine(lineOf(entry)), entry);
      assert.deepEqual(peekLogLine(lineOf(entry)), { stream: entry.stream, partial: entry.partial });
    }),
  );
});

test('parseLogLine: any bytes are an entry or undefined, never an exception', () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void parseLogLine(Buffer.from(bytes))));
});

test('parseLogLine: understands other time zones and shorter fractions', () => {
  const entry = parseLogLine(Buffer.from('2026-01-02T03:04:05.5+02:00 stderr F x'));
  assert.equal(entry && formatTime(entry.time), '2026-01-02T01:04:05.500000000Z');
  assert.equal(parseLogLine(Buffer.from('2026-01-02T03:04:05Z stdout P x'))?.partial, true);
});

test('parseLogLine: refuses what is not a log line', () => {
  for (const text of [
    '',
    'hello',
    '2026-01-02T03:04:05.000000006+00:00 stdxxx F x',
    '2026-01-02T03:04:05.000000006+00:00 stdout Q x',
    '2026-01-02T03:04:05.000000006+00:00 stdout Fx',
    '2026-13-02T03:04:05.000000006+00:00 stdout F x',
  ]) {
    assert.equal(parseLogLine(Buffer.from(text)), undefined, text);
  }
});

test('LineJoiner: every byte of a stream comes out once and in order, in lines of their own', () => {
  fc.assert(
    fc.property(fc.array(anyEntry), (entries) => {
      const joiner = new LineJoiner();
      const lines = [...entries.flatMap((entry) => joiner.push(entry) ?? []), ...joiner.flush()];
      for (const stream of ['stdout', 'stderr']) {
        const bytes = (list: readonly LogEntry[]): Buffer =>
          Buffer.concat(list.filter((entry) => entry.stream === stream).map(({ data }) => data));
        assert.deepEqual(bytes(lines), bytes(entries));
      }
      for (const { data, partial } of lines) assert.equal(data.at(-1) === 0x0a, !partial);
    }),
  );
});

test('LineJoiner: passes parts of a line that is too long, without holding more than 24 KiB', () => {
  const joiner = new LineJoiner();
  const piece: LogEntry = { time: 1n, stream: 'stdout', data: Buffer.alloc(8192, 'x'), partial: true };
  const out = [1, 2, 3, 4, 5].map(() => joiner.push(piece)?.data.length);
  assert.deepEqual(out, [undefined, 16384, undefined, 16384, undefined]);
});
