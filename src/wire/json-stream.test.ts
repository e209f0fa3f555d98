import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeProgress, jsonTexts } from './json-stream.ts';

async function* cut(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

test('jsonTexts: finds every value, with or without separators, however the bytes are cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()), fc.array(fc.jsonValue())),
      ),
      fc.constantFrom('', '\n', '\r\n', ' '),
      fc.integer({ min: 1, max: 50 }),
      async (values, separator, size) => {
        const text = values.map((value) => JSON.stringify(value) + separator).join('');
        const got = await Array.fromAsync(jsonTexts(cut(text, size)));
        assert.deepEqual(
          got,
          values.map((value) => JSON.stringify(value)),
        );
      },
    ),
  );
});

test('jsonTexts: refuses what is not a sequence of objects', async () => {
  for (const [text, message] of [
    ['{"a":1', /ended inside a value/],
    ['{} x', /between the values/],
    ['}', /unexpected }/],
    [`{"a":"${'x'.repeat(200)}`, /longer than 100/],
  ] as const) {
    await assert.rejects(Array.fromAsync(jsonTexts(cut(text, 7), { maxLength: 100 })), message);
  }
});

test('encodeProgress: ends each object with CR LF', () => {
  assert.equal(encodeProgress({ stream: 'Loaded\n' }), '{"stream":"Loaded\\n"}\r\n');
});
