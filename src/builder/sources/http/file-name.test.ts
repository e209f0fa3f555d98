import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nameFromUrl } from './file-name.ts';

test('nameFromUrl: is the last part of the path, never a way to somewhere', () => {
  for (const [url, name] of [
    ['http://h/a/b.tar.gz?x=/c', 'b.tar.gz'],
    ['http://h/a/b/', 'b'],
    ['http://h/', '__unnamed__'],
    ['http://h/a%20b', 'a b'],
    ['http://h/%2e%2e', '__unnamed__'],
    ['http://h/a/%2e%2e%2f..%2fetc%2fpasswd', 'passwd'],
    ['http://h/x%2f..', '__unnamed__'],
    ['http://h/a%00b', '__unnamed__'],
    ['http://h/a%0ab', '__unnamed__'],
    [`http://h/${'x'.repeat(300)}`, '__unnamed__'],
    ['http://h/a%zz', 'a%zz'],
    ['http://h/..\\..\\x', 'x'],
  ] as const) {
    assert.equal(nameFromUrl(new URL(url)), name, url);
  }
});
