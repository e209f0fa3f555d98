import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { scratchDir } from '#tests/scratch-dir.ts';
import { Directory } from './directory.ts';
import { removeTree, removeTreeSync } from './remove-tree.ts';

test('removeTree: removes files, links and directories, but not what links lead to', async () => {
  using scratch = scratchDir();
  mkdirSync(scratch.join('tree/a/b'), { recursive: true });
  mkdirSync(scratch.join('outside'));
  writeFileSync(scratch.join('outside/kept'), '');
  for (let i = 0; i < 300; i++) writeFileSync(scratch.join(`tree/a/${i}`), '');
  symlinkSync('../outside', scratch.join('tree/link'));
  symlinkSync('outside', scratch.join('top-link'));
  using parent = Directory.open(scratch.path);
  await removeTree(parent, 'tree');
  await removeTree(parent, 'top-link');
  await removeTree(parent, 'not-there');
  assert.deepEqual(readdirSync(scratch.path), ['outside']);
  assert.deepEqual(readdirSync(scratch.join('outside')), ['kept']);
});

test('removeTreeSync: removes trees that are deeper than any path or number of descriptors', () => {
  using scratch = scratchDir();
  const script = `import os, sys
os.chdir(sys.argv[1]); os.mkdir('deep'); os.chdir('deep')
for i in range(5000):
    os.mkdir('directory'); open('file', 'w').close(); os.chdir('directory')`;
  execFileSync('python3', ['-c', script, scratch.path]);
  const before = readdirSync('/proc/self/fd').length;
  using parent = Directory.open(scratch.path);
  removeTreeSync(parent, 'deep');
  assert.deepEqual(readdirSync(scratch.path), []);
  assert.equal(readdirSync('/proc/self/fd').length, before + 1);
});
