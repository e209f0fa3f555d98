import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EngineError } from './errors.ts';
import { parseTimestamp } from './timestamp.ts';

const now = Date.parse('2026-01-02T03:04:05Z');

test('parseTimestamp: the forms that clients send', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['10m', '2026-01-02T02:54:05Z'],
    ['1h30m', '2026-01-02T01:34:05Z'],
    ['2026-01-01', '2026-01-01T00:00:00Z'],
    ['2026-01-01T10', '2026-01-01T10:00:00Z'],
    ['2026-01-01T10:11', '2026-01-01T10:11:00Z'],
    ['2026-01-01T10:11:12', '2026-01-01T10:11:12Z'],
    ['2026-01-01T10:11:12+02:00', '2026-01-01T08:11:12Z'],
    ['0', '1970-01-01T00:00:00Z'],
  ];
  for (const [text, meaning] of cases) {
    assert.equal(parseTimestamp(text, now), BigInt(Date.parse(meaning)) * 1_000_000n, text);
  }
  assert.equal(parseTimestamp('1136073600.000000001', now), 1136073600_000000001n);
  assert.equal(parseTimestamp('2026-01-01T10:11:12.5Z', now) % 1_000_000_000n, 500_000_000n);
});

test('parseTimestamp: anything else is invalid, nothing else is thrown', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        parseTimestamp(text, now);
      } catch (error) {
        assert.ok(error instanceof EngineError && error.kind === 'invalid');
      }
    }),
  );
  assert.throws(() => parseTimestamp('bar', now), /failed to parse value as time or duration: "bar"/);
});
