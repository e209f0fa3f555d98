import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { test } from 'node:test';
import { byteString } from '#/base/byte-string.ts';
import { fileHeader } from '#/tar/tar-entry.ts';
import { readTar } from '#/tar/tar-reader.ts';
import { type TarInput, writeTar } from '#/tar/tar-writer.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { unpackInto } from './unpack.ts';

const file = (path: string, content: string): TarInput => ({
  ...fileHeader(byteString(path), content.length),
  body: [Buffer.from(content)],
});

const unpack = (root: string, entries: readonly TarInput[]): Promise<void> =>
  unpackInto(root, readTar(writeTar(entries)));

test('unpackInto: files with holes have their content where it belongs', async () => {
  using dir = scratchDir();
  const size = 3_000_000;
  const sparse = [
    { offset: 5, length: 3 },
    { offset: 1_000_000, length: 4 },
    { offset: size, length: 0 },
  ];
  await unpack(dir.path, [
    { ...file('holes', 'abcdefg'), size, sparse },
    { ...fileHeader(byteString('hole'), size), sparse: [], body: [] },
    file('plain', 'plain'),
  ]);
  const expected = Buffer.alloc(size);
  expected.write('abc', 5);
  expected.write('defg', 1_000_000);
  assert.ok(readFileSync(dir.join('holes')).equals(expected));
  assert.ok(statSync(dir.join('holes')).blocks < 1000);
  assert.ok(readFileSync(dir.join('hole')).equals(Buffer.alloc(size)));
  assert.equal(readFileSync(dir.join('plain'), 'utf8'), 'plain');
});

test('unpackInto: nothing is written outside of the folder', async () => {
  using dir = scratchDir();
  using outside = scratchDir();
  const root = dir.join('.');
  symlinkSync(outside.path, dir.join('link'));
  await assert.rejects(unpack(root, [file('link/file', 'x')]), /it is there and not a folder/);
  await assert.rejects(unpack(root, [file('a/../../file', 'x')]), /has a file outside of it/);
  symlinkSync(outside.join('target'), dir.join('name'));
  await unpack(root, [file('name', 'x')]);
  const linked: TarInput = {
    ...fileHeader(byteString('other'), 0),
    kind: 'symlink',
    linkPath: byteString(outside.path),
  };
  await assert.rejects(unpack(root, [linked, file('other/file', 'x')]), /it is there and not a folder/);
  assert.equal(readFileSync(dir.join('name'), 'utf8'), 'x');
  assert.deepEqual(
    ['file', 'target'].map((name) => existsSync(outside.join(name))),
    [false, false],
  );
});
