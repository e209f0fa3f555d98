import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Query } from './query.ts';

test('Query.bool: everything is true but the words for no', () => {
  const query = new Query('a=1&b=0&c=&d=False&e=no&f=x&g=%20none%20&h=true&i');
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'absent'];
  assert.deepEqual(
    names.filter((name) => query.bool(name)),
    ['a', 'f', 'h'],
  );
  assert.equal(query.bool('absent', true), true);
  assert.equal(query.bool('b', true), false);
});

test('Query.int: whole numbers, nothing else', () => {
  assert.equal(new Query('t=-1').int('t'), -1);
  assert.equal(new Query('t=').int('t'), undefined);
  assert.equal(new Query('').int('t'), undefined);
  for (const bad of ['x', '1.5', '1e3', '99999999999999999999', '0x10', '%201']) {
    assert.throws(() => new Query(`t=${bad}`).int('t'), { kind: 'invalid' }, bad);
  }
});

test('Query.time: seconds with a fraction become exact nanoseconds', () => {
  assert.equal(new Query('s=1795266330.251628695').time('s'), 1795266330251628695n);
  assert.equal(new Query('s=5.5').time('s'), 5_500_000_000n);
  assert.equal(new Query('s=-3').time('s'), -3_000_000_000n);
  assert.equal(new Query('s=0').time('s'), 0n);
  for (const none of ['', 's=']) assert.equal(new Query(none).time('s'), undefined);
  for (const bad of ['x', '1.x', '10m', '1.2.3']) {
    assert.throws(() => new Query(`s=${bad}`).time('s'), { kind: 'invalid' }, bad);
  }
});

test('Query.filters: a broken parameter is the client’s fault', () => {
  assert.deepEqual(new Query('filters={"label":["a"]}').filters().get('label'), ['a']);
  assert.equal(new Query('').filters().size, 0);
  assert.throws(() => new Query('filters=x').filters(), { kind: 'invalid', message: 'invalid filter' });
});
