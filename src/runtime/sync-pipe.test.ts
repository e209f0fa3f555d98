import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { isKind } from '#/base/errors.ts';
import { parseReport, ReportReader } from './sync-pipe.ts';

/** Escapes as conmon 2.1.6 does (escape_json_string). */
function escape(text: string): string {
  return Array.from(text, escapeChar).join('');
}

function escapeChar(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  if (char === '\\' || char === '"') return `\\${char}`;
  if (char === '\n') return '\\n';
  if (char === '\t') return '\\t';
  return code < 0x1f || code === 0x7f ? `\\u00${code.toString(16).padStart(2, '0')}` : char;
}

test('parseReport: gives back any number and message that conmon writes', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.option(fc.string({ unit: 'binary' }), { nil: undefined }),
      (data, message) => {
        if (message === undefined) assert.deepEqual(parseReport(`{"data": ${data}}`), { data });
        else
          assert.deepEqual(parseReport(`{"data": ${data}, "message": "${escape(message)}"}`), {
            data,
            message,
          });
      },
    ),
  );
});

test('parseReport: anything else is an internal error', () => {
  for (const line of ['', '{}', '{"data": "x"}', '{"data": 1} ', '{"data": 12345678901}']) {
    assert.throws(
      () => parseReport(line),
      (error) => isKind(error, 'internal'),
    );
  }
});

test('ReportReader: reads reports however the pipe cuts them', async () => {
  const text = Buffer.from('{"data": 42}\n{"data": -1, "message": "née"}\n{"data": 7}');
  for (const size of [1, 5, 100]) {
    const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_value, index) =>
      text.subarray(index * size, (index + 1) * size),
    );
    const reader = new ReportReader(Readable.from(pieces, { objectMode: false }));
    assert.deepEqual(await reader.next(), { data: 42 });
    assert.deepEqual(await reader.next(), { data: -1, message: 'née' });
    assert.equal(await reader.next(), undefined);
  }
});
