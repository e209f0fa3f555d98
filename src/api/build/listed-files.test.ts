import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { textOf } from '#/base/byte-string.ts';
import { EngineError } from '#/base/errors.ts';
import type { ContextEntry } from '#/builder/context/context-entry.ts';
import { receiveContents, receiveList } from './listed-files.ts';

async function* chunked(bytes: Buffer, size: number): AsyncGenerator<Buffer, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Takes a list of which files with an even size are wanted. */
async function list(lines: string, size = 10): Promise<{ entries: ContextEntry[]; wanted: number[] }> {
  const entries: ContextEntry[] = [];
  const entry = (it: ContextEntry): boolean => {
    entries.push(it);
    return it.kind === 'file' && it.size % 2 === 0;
  };
  const wanted = await receiveList(chunked(Buffer.from(lines), size), { entry });
  return { entries, wanted: wanted.map(({ index }) => index) };
}

test('receiveList: entries with their kinds, and the numbers of those that are wanted', async () => {
  const lines = [
    { p: 'dir', m: 0o040755, t: '1' },
    { p: 'dir/é', m: 0o104644, u: 1, g: 2, s: 4, t: '1700000000123456789' },
    { p: 'dir/odd', m: 0o100600, s: 3, t: '-5' },
    { p: 'link', m: 0o120777, t: '0', l: '../ü' },
    { p: 'pipe', m: 0o010600, t: '0' },
    { p: 'last', m: 0o100600, t: '0' },
  ].map((entry) => JSON.stringify(entry));
  for (const size of [1, 7, 10_000]) {
    const { entries, wanted } = await list(lines.join('\n'), size);
    assert.deepEqual(wanted, [1, 5]);
    assert.deepEqual(
      entries.map(({ path, kind, mode, size: bytes, linkPath }) => [
        textOf(path),
        kind,
        mode,
        bytes,
        textOf(linkPath),
      ]),
      [
        ['dir', 'directory', 0o755, 0, ''],
        ['dir/é', 'file', 0o4644, 4, ''],
        ['dir/odd', 'file', 0o600, 3, ''],
        ['link', 'symlink', 0o777, 0, '../ü'],
        ['pipe', 'fifo', 0o600, 0, ''],
        ['last', 'file', 0o600, 0, ''],
      ],
    );
    assert.deepEqual(
      entries.slice(0, 3).map(({ uid, gid, mtime }) => [uid, gid, mtime]),
      [
        [0, 0, 1n],
        [1, 2, 1_700_000_000_123_456_789n],
        [0, 0, -5n],
      ],
    );
  }
  assert.deepEqual((await list('')).entries, []);
});

test('receiveList: what is no list of files is refused', async () => {
  for (const line of [
    'x',
    '[]',
    '{"p":1}',
    '{"p":"a","m":0,"t":"0"}',
    '{"p":"a","m":33188,"t":"soon"}',
    '\n',
  ]) {
    await assert.rejects(list(line), { kind: 'invalid' }, line);
  }
  await assert.rejects(list('x'.repeat(50_000)), { kind: 'tooLarge' });
});

/** Pieces of content as a client sends them. */
function frames(files: readonly (readonly string[])[]): Buffer {
  const length = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  return Buffer.concat(
    files.flatMap((parts) => [
      ...parts.flatMap((part) => [length(Buffer.byteLength(part)), Buffer.from(part)]),
      length(0),
    ]),
  );
}

async function contents(bytes: Buffer, { count, size }: { count: number; size: number }): Promise<string[]> {
  const files = Array.from({ length: count }, () => '');
  const ended: string[] = [];
  let total = 0;
  await receiveContents(chunked(bytes, size), {
    wanted: files.map((_, index) => ({ index, path: String(index) })),
    update: {
      write: (path, piece) => {
        files[Number(path)] += piece.toString('latin1');
        return Promise.resolve();
      },
      end: (path) => void ended.push(path),
    },
    onBytes: (more) => (total += more),
  });
  assert.deepEqual(ended, Object.keys(files));
  assert.equal(total, files.join('').length);
  return files;
}

test('receiveContents: whatever the pieces are and however the stream is cut', async () => {
  const part = fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 20 });
  const sent = fc.array(fc.array(part, { maxLength: 4 }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(sent, fc.integer({ min: 1, max: 30 }), async (files, size) => {
      const got = await contents(frames(files), { count: files.length, size });
      assert.deepEqual(
        got,
        files.map((parts) => parts.join('')),
      );
    }),
  );
});

test('receiveContents: less or more than was wanted is refused', async () => {
  const two = frames([['a', 'b'], ['c']]);
  const cases: [Buffer, number][] = [
    [two, 1],
    [two, 3],
    [two.subarray(0, -1), 2],
    [two.subarray(0, 7), 2],
    [Buffer.from('ffffffff', 'hex'), 1],
    [Buffer.alloc(0), 1],
  ];
  for (const [bytes, count] of cases) {
    await assert.rejects(contents(bytes, { count, size: 3 }), (error: unknown) => {
      assert.ok(error instanceof EngineError && error.kind === 'invalid', String(error));
      return true;
    });
  }
});
