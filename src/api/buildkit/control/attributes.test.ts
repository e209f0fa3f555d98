import assert from 'node:assert/strict';
import { test } from 'node:test';
import { csvFields, flagAt, numberAt } from './attributes.ts';

test('csvFields: reads lists as Go writes them', () => {
  assert.deepEqual(csvFields(''), []);
  assert.deepEqual(csvFields('a'), ['a']);
  assert.deepEqual(csvFields('a=1,b=2'), ['a=1', 'b=2']);
  assert.deepEqual(csvFields('"a,b","say ""hi"""'), ['a,b', 'say "hi"']);
  assert.throws(() => csvFields('a"b'), /invalid list/);
});

test('numberAt, flagAt: refuse what they cannot read', () => {
  const attributes = new Map([
    ['n', '12'],
    ['bad', '1e3'],
    ['low', '-2'],
    ['yes', 'TRUE'],
    ['no', '0'],
    ['empty', ''],
  ]);
  assert.equal(numberAt(attributes, 'n'), 12);
  assert.equal(numberAt(attributes, 'empty'), undefined);
  assert.equal(numberAt(attributes, 'absent'), undefined);
  assert.throws(() => numberAt(attributes, 'bad'), /invalid bad value: "1e3"/);
  assert.throws(() => numberAt(attributes, 'low', -1), /invalid low value/);
  assert.equal(flagAt(attributes, 'yes'), true);
  assert.equal(flagAt(attributes, 'no'), false);
  assert.equal(flagAt(attributes, 'absent'), undefined);
  assert.throws(() => flagAt(attributes, 'n'), /invalid boolean value for n/);
});
