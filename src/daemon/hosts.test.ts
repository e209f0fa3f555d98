import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLoopback, parseHost } from './hosts.ts';

test('parseHost: the three protocols', () => {
  assert.deepEqual(parseHost('unix:///run/x.sock'), { kind: 'unix', path: '/run/x.sock' });
  assert.deepEqual(parseHost('tcp://0.0.0.0:99'), { kind: 'tcp', address: '0.0.0.0', port: 99 });
  assert.deepEqual(parseHost('tcp://[::1]:99'), { kind: 'tcp', address: '::1', port: 99 });
  assert.deepEqual(parseHost('tcp://box'), { kind: 'tcp', address: 'box', port: 0 });
  assert.deepEqual(parseHost('tcp://:99'), { kind: 'tcp', address: '127.0.0.1', port: 99 });
  assert.deepEqual(parseHost('fd://'), { kind: 'fd', name: '' });
  assert.deepEqual(parseHost('0.0.0.0:99'), { kind: 'tcp', address: '0.0.0.0', port: 99 });
});

test('parseHost: refuses everything else', () => {
  const long = `unix:///${'x'.repeat(107)}`;
  for (const text of [
    '',
    '/run/x',
    'foo://x',
    'unix://x',
    long,
    'tcp://a:b',
    'tcp://a:65536',
    'tcp://[zz]:1',
    'tcp://a/b',
  ]) {
    assert.throws(() => parseHost(text), /^EngineError: invalid bind address/, text);
  }
});

test('isLoopback: only what cannot be reached from outside', () => {
  assert.deepEqual(['127.0.0.1', '127.9.9.9', '::1', 'localhost'].map(isLoopback), [true, true, true, true]);
  assert.deepEqual(['0.0.0.0', '::', '127.evil.example', '10.0.0.1'].map(isLoopback), [
    false,
    false,
    false,
    false,
  ]);
});
