import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differences } from './explain.ts';
import { keyOf } from './key.ts';

test('differences: which input changed, from what to what', () => {
  assert.deepEqual(
    differences(
      {
        parent: 'a',
        environment: { A: '1', B: 'x' },
        sources: [{ files: '.', content: 'one' }],
        command: ['sh'],
      },
      {
        parent: 'a',
        environment: { A: '2', C: 'y' },
        sources: [{ files: '.', content: 'two' }],
        command: ['sh', '-c'],
      },
    ),
    [
      'environment.A: "1" -> "2"',
      'environment.B: "x" -> nothing',
      'environment.C: nothing -> "y"',
      'sources[0].content: "one" -> "two"',
      'command: ["sh"] -> ["sh","-c"]',
    ],
  );
  assert.deepEqual(differences({ a: 'x' }, { a: 'x' }), []);
});

test('keyOf: the order of members does not count, that of lists does', () => {
  assert.equal(keyOf({ a: 1, b: { c: 2, d: [3] } }), keyOf({ b: { d: [3], c: 2 }, a: 1 }));
  assert.notEqual(keyOf({ a: [1, 2] }), keyOf({ a: [2, 1] }));
});
