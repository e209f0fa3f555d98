import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratchDir } from '#tests/scratch-dir.ts';
import { emulatedArchitectures } from './binfmt.ts';

const arm64 = [
  'enabled',
  'interpreter /usr/bin/qemu-aarch64-static',
  'flags: POF',
  'offset 0',
  'magic 7f454c460201010000000000000000000200b700',
  'mask ffffffffffffff00fffffffffffffffffeffffff',
  '',
].join('\n');

test('emulatedArchitectures: what is on and runs programs of any container', () => {
  using dir = scratchDir();
  const write = (name: string, text: string): void => writeFileSync(join(dir.path, name), text);
  write('register', '');
  write('status', 'enabled\n');
  write('python3', 'enabled\ninterpreter /usr/bin/python3\nflags: \noffset 0\nmagic 0d0d0a\n');
  assert.deepEqual(emulatedArchitectures(dir.path), []);
  write('other-name', arm64);
  assert.deepEqual(emulatedArchitectures(dir.path), ['arm64']);
  write('other-name', arm64.replace('enabled', 'disabled'));
  assert.deepEqual(emulatedArchitectures(dir.path), []);
  write('other-name', arm64.replace('POF', 'PO'));
  assert.deepEqual(emulatedArchitectures(dir.path), []);
});

test('emulatedArchitectures: none where binfmt_misc is not mounted', () => {
  using dir = scratchDir();
  assert.deepEqual(emulatedArchitectures(join(dir.path, 'none')), []);
});
