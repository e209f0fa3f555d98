import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { goQuote, goUnquote } from './go-quote.ts';

test('goUnquote: reads what goQuote writes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.equal(goUnquote(goQuote(text)), text);
    }),
  );
});

test('goQuote: escapes as strconv.Quote does', () => {
  assert.equal(
    goQuote('a"b\\c\n\t\x07\x1b\x7f é 日 \u200b \u{1f600}'),
    '"a\\"b\\\\c\\n\\t\\a\\x1b\\x7f é 日 \\u200b 😀"',
  );
});

test('goUnquote: undefined for what is no literal', () => {
  assert.equal(goUnquote('"\\q"'), undefined);
  assert.equal(goUnquote('"\\\'"'), undefined);
  assert.equal(goUnquote("'ab'"), undefined);
  assert.equal(goUnquote('`a\\n\r`'), 'a\\n');
  assert.equal(goUnquote('"\\x41\\101\\u00e9\\U0001F600"'), 'AAé😀');
});
