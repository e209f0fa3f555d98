import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jsonStreamProblem, jsonSyntaxProblem } from './json-syntax.ts';

/** Texts with what Go's encoding/json says of them. */
const problems: readonly [string, string][] = [
  ['{invalid json', "invalid character 'i' looking for beginning of object key string"],
  ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
  ['{"a" 1}', "invalid character '1' after object key"],
  ['{"a":1 "b"', "invalid character '\"' after object key:value pair"],
  ['[1 2]', "invalid character '2' after array element"],
  ['[1,]', "invalid character ']' looking for beginning of value"],
  ['x', "invalid character 'x' looking for beginning of value"],
  ['{}x', "invalid character 'x' after top-level value"],
  ["{'a':1}", "invalid character '\\'' looking for beginning of object key string"],
  ['"a\nb"', "invalid character '\\n' in string literal"],
  ['"\\x"', "invalid character 'x' in string escape code"],
  ['"\\u00g0"', "invalid character 'g' in \\u hexadecimal character escape"],
  ['-a', "invalid character 'a' in numeric literal"],
  ['1.a', "invalid character 'a' after decimal point in numeric literal"],
  ['1e+a', "invalid character 'a' in exponent of numeric literal"],
  ['trie', "invalid character 'i' in literal true (expecting 'u')"],
  ['012', "invalid character '1' after top-level value"],
  ['é', "invalid character 'Ã' looking for beginning of value"],
  ['{"a":', 'unexpected end of JSON input'],
  ['"abc', 'unexpected end of JSON input'],
  ['nul', 'unexpected end of JSON input'],
  ['[[', 'unexpected end of JSON input'],
];

for (const [text, problem] of problems) {
  test(`jsonSyntaxProblem: ${JSON.stringify(text)}`, () => assert.equal(jsonSyntaxProblem(text), problem));
}

test('jsonStreamProblem: has other words for the end', () => {
  assert.equal(jsonStreamProblem('{'), 'unexpected EOF');
  assert.equal(jsonStreamProblem('{]'), "invalid character ']' looking for beginning of object key string");
});

test('jsonSyntaxProblem: finds one exactly where JSON.parse does', () => {
  const isJson = (text: string): boolean => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    'a',
    '\\',
    'u',
    '0',
    '1',
    '-',
    '.',
    'e',
    '+',
    'true',
    'null',
    ' ',
    '\n',
    '"k":',
  );
  const garbled = fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join(''));
  const cut = fc.tuple(fc.json(), fc.nat()).map(([text, at]) => text.slice(0, at % (text.length + 1)));
  fc.assert(
    fc.property(fc.oneof(garbled, cut, fc.json()), (text) => {
      assert.equal(jsonSyntaxProblem(text) === undefined, isJson(text));
    }),
    { numRuns: 3000 },
  );
});

test('jsonSyntaxProblem: nesting may be deep', () => {
  assert.equal(jsonSyntaxProblem('['.repeat(200_000)), 'unexpected end of JSON input');
});
