import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import { check, systemError, uninterrupted } from './errno.ts';
import { bindLibrary, cstring, errno, libc } from './libc.ts';

test('libc: every function exists on this machine', () => {
  for (const name of Object.getOwnPropertyNames(libc)) {
    assert.equal(typeof Reflect.get(libc, name), 'function', name);
  }
});

test('errno: tells why the last call failed', () => {
  assert.equal(libc.close(-1), -1);
  assert.equal(errno(), constants.errno.EBADF);
});

test('bindLibrary: loads on first use, and says what is missing', () => {
  const missing = bindLibrary<{ nothing(): void }>('libnone-such.so.1', { nothing: 'void nothing()' });
  assert.throws(() => missing.nothing(), /libnone-such/);
  const wrong = bindLibrary<{ nothing(): void }>(null, { nothing: 'void no_such_function()' });
  assert.throws(() => wrong.nothing(), /no_such_function/);
});

test('cstring: ends with NUL and refuses one inside', () => {
  assert.deepEqual(cstring('é'), Buffer.from([0xc3, 0xa9, 0]));
  assert.deepEqual(cstring(Uint8Array.of(0xff)), Buffer.from([0xff, 0]));
  assert.deepEqual(cstring(''), Buffer.from([0]));
  assert.throws(() => cstring('a\0b'), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
  assert.throws(() => cstring(Uint8Array.of(1, 0, 2)), { code: 'ERR_INVALID_ARG_VALUE' });
});

test("systemError: has the shape and the words of Node's errors", () => {
  const error = systemError('openat2', constants.errno.ENOENT, Buffer.from('/x'));
  assert.deepEqual(
    {
      message: error.message,
      code: error.code,
      errno: error.errno,
      syscall: error.syscall,
      path: error.path,
    },
    {
      message: "ENOENT: no such file or directory, openat2 '/x'",
      code: 'ENOENT',
      errno: -constants.errno.ENOENT,
      syscall: 'openat2',
      path: '/x',
    },
  );
  assert.equal('path' in systemError('close', constants.errno.EBADF), false);
  assert.equal(systemError('x', constants.errno.ESTALE).code, 'ESTALE');
  assert.equal(systemError('x', 117).message, 'E117: system error, x');
});

test('check: passes results on and throws on negative ones', () => {
  assert.equal(check(5, 'x'), 5);
  assert.throws(() => check(libc.close(-1), 'close'), { code: 'EBADF', syscall: 'close' });
});

test('uninterrupted: does not repeat other failures', () => {
  let calls = 0;
  const result = uninterrupted(() => {
    calls++;
    return libc.close(-1);
  });
  assert.deepEqual([result, calls], [-1, 1]);
});
