import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { scratchDir } from '#tests/scratch-dir.ts';
import { matchPaths } from './match-paths.ts';

test('matchPaths: finds what a pattern names, as Docker does', async () => {
  using scratch = scratchDir();
  const files = ['a.txt', 'b.txt', 'd/1.txt', 'd/e/2.txt', 'd/e/3.md', 'dd/e/2.txt', 'x[1]', 'z'];
  for (const name of files) {
    mkdirSync(dirname(scratch.join(name)), { recursive: true });
    writeFileSync(scratch.join(name), '');
  }
  symlinkSync('d/e', scratch.join('link'));
  symlinkSync('/', scratch.join('out'));
  symlinkSync('../../../etc', scratch.join('up'));
  const cases: readonly (readonly [pattern: string, paths: string[]])[] = [
    ['z', ['z']],
    ['none', ['none']],
    ['*.txt', ['a.txt', 'b.txt']],
    ['/*.txt', ['a.txt', 'b.txt']],
    ['./d/../*.txt', ['../a.txt', '../b.txt'].map((path) => `d/${path}`)],
    ['none*', []],
    ['none/*', []],
    ['z/*', []],
    ['d*', ['d', 'dd']],
    ['*/e', ['d/e', 'dd/e']],
    ['*/e/*.txt', ['d/e/2.txt', 'dd/e/2.txt']],
    ['d/e/?.md', ['d/e/3.md']],
    ['x[[]1]', ['x[1]']],
    ['link/*', ['link/2.txt', 'link/3.md']],
    // Not where there are wildcards.
    ['lin*/*', []],
    ['out/*.txt', ['out/a.txt', 'out/b.txt']],
    ['up/pass*', []],
    ['d/./e/*', ['d/./e/2.txt', 'd/./e/3.md']],
    ['d*/./e', ['d/./e', 'dd/./e']],
    ['./*/*.txt', ['d/1.txt']],
  ];
  for (const [pattern, paths] of cases) {
    assert.deepEqual(await matchPaths(scratch.path, pattern), paths, pattern);
  }
  await assert.rejects(matchPaths(scratch.path, 'a[*'), { kind: 'invalid' });
});
