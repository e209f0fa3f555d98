import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseModeChange } from './file-mode.ts';

test('parseModeChange: changes modes as Docker does', () => {
  // What it makes of a directory with 2710, and of a file with 4754.
  const cases: readonly (readonly [text: string, directory: string, file: string])[] = [
    ['755', '755', '755'],
    ['00755', '755', '755'],
    ['4755', '4755', '4755'],
    ['+w', '2732', '4776'],
    ['a+x', '2711', '4755'],
    ['u=rwX,go-w', '2710', '754'],
    ['=r', '444', '444'],
    ['u=s', '6010', '4054'],
    ['g=u', '2770', '4774'],
    ['o=u-r', '2713', '4753'],
    ['u+x-w', '2510', '4554'],
    ['go=x+s', '2711', '6711'],
    ['+t', '3710', '5754'],
    ['a+X', '2711', '4755'],
  ];
  for (const [text, directory, file] of cases) {
    const change = parseModeChange(text);
    assert.deepEqual(
      [change(0o2710, true).toString(8), change(0o4754, false).toString(8)],
      [directory, file],
      text,
    );
  }
  assert.equal(parseModeChange('a+X')(0o644, false), 0o644);
});

test('parseModeChange: refuses what is no mode', () => {
  for (const text of ['8', '12345', '0o755', '-1', '']) {
    assert.throws(() => parseModeChange(text), { kind: 'invalid', message: /invalid chmod parameter/ }, text);
  }
  for (const text of ['u', 'rwx', 'u+q', 'u=rw,', 'z+x', 'u+rg', 'u+x go+x']) {
    assert.throws(() => parseModeChange(text), { kind: 'invalid', message: /u=rwX/ }, text);
  }
});
