import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { scratchDir } from '#tests/scratch-dir.ts';
import { irregularKind, writeWholeFile } from './whole-file.ts';

async function* chunks(...texts: readonly string[]): AsyncGenerator<Buffer, void, undefined> {
  for (const part of texts) yield Buffer.from(part);
}

async function* broken(): AsyncGenerator<Buffer, void, undefined> {
  yield Buffer.from('a part');
  throw new Error('it broke off');
}

test('writeWholeFile: replaces a file by a whole one or not at all', async () => {
  using dir = scratchDir();
  const path = dir.join('file');
  await writeWholeFile(path, chunks('one ', 'two'), { mode: 0o600 });
  assert.equal(readFileSync(path, 'utf8'), 'one two');
  assert.equal(lstatSync(path).mode & 0o777, 0o600);
  await assert.rejects(writeWholeFile(path, broken()), { message: 'it broke off' });
  assert.equal(readFileSync(path, 'utf8'), 'one two');
  assert.deepEqual(readdirSync(dir.path), ['file']);
});

test('writeWholeFile: links and pipes stay what they are', async () => {
  using dir = scratchDir();
  mkdirSync(dir.join('else'));
  writeFileSync(dir.join('else/file'), 'old');
  symlinkSync('else/file', dir.join('link'));
  await writeWholeFile(dir.join('link'), chunks('new'));
  assert.equal(readlinkSync(dir.join('link')), 'else/file');
  assert.equal(readFileSync(dir.join('else/file'), 'utf8'), 'new');
  execFileSync('mkfifo', [dir.join('pipe')]);
  const reader = spawn('cat', [dir.join('pipe')]);
  await writeWholeFile(dir.join('pipe'), chunks('through'));
  assert.equal(await text(reader.stdout), 'through');
  assert.ok(lstatSync(dir.join('pipe')).isFIFO());
});

test('irregularKind: the words for what is no file', () => {
  using dir = scratchDir();
  writeFileSync(dir.join('file'), '');
  execFileSync('mkfifo', [dir.join('pipe')]);
  const kinds = [dir.path, dir.join('file'), dir.join('nothing'), dir.join('pipe'), '/dev/null'];
  assert.deepEqual(kinds.map(irregularKind), [
    'directory',
    undefined,
    undefined,
    'named pipe',
    'character device file',
  ]);
});
