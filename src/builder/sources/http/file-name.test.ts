import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nameFromDisposition, nameFromUrl } from './file-name.ts';

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

test('nameFromDisposition: takes both forms, reduced to one component', () => {
  for (const [header, name] of [
    ['attachment; filename="a b.txt"', 'a b.txt'],
    ['attachment; filename=plain.txt; size=3', 'plain.txt'],
    ["attachment; filename=x; filename*=UTF-8''%e2%82%ac.txt", '€.txt'],
    ['attachment; filename="../../etc/cron.d/x"', 'x'],
    ['attachment; filename=".."', undefined],
    ['attachment; filename="a\\"b"', 'a"b'],
    ['attachment', undefined],
  ] as const) {
    assert.equal(nameFromDisposition(header), name, header);
  }
});
