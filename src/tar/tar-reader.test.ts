import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chownSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { test } from 'node:test';
import { byteString } from '#/base/byte-string.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { readTar } from './tar-reader.ts';
import { file, fixChecksum, pieces, readAll, tarOf } from './tar-samples.ts';

const longName = `${'d'.repeat(90)}/${'e'.repeat(90)}/${'f'.repeat(120)}`;
const unicodeName = 'Főtanúsítvány.pem';

/** A tree with one of everything. */
function makeTree(root: string): void {
  mkdirSync(`${root}/dir`);
  mkdirSync(`${root}/${longName.replace(/\/[^/]*$/, '')}`, { recursive: true });
  writeFileSync(`${root}/dir/plain`, 'hello');
  chownSync(`${root}/dir/plain`, 1000, 70000);
  linkSync(`${root}/dir/plain`, `${root}/dir/second`);
  writeFileSync(`${root}/${longName}`, 'long');
  writeFileSync(`${root}/${unicodeName}`, 'unicode');
  writeFileSync(Buffer.from(`${root}/latin\xe9`, 'latin1'), 'bytes');
  symlinkSync('../somewhere', `${root}/dir/link`);
  symlinkSync('x'.repeat(200), `${root}/longlink`);
  execFileSync('mknod', ['-m', '640', `${root}/fifo`, 'p']);
  execFileSync('mknod', ['-m', '666', `${root}/null`, 'c', '1', '3']);
  utimesSync(`${root}/dir/plain`, 1.7e9, 1.7e9);
}

function tar(...args: string[]): Buffer {
  return execFileSync('tar', args, { maxBuffer: 1 << 28 });
}

const writers: readonly (readonly [name: string, run: (root: string) => Buffer])[] = [
  ['GNU tar --format=gnu', (root) => tar('-C', root, '--format=gnu', '-cf', '-', '.')],
  ['GNU tar --format=oldgnu', (root) => tar('-C', root, '--format=oldgnu', '-cf', '-', '.')],
  ['GNU tar --format=posix', (root) => tar('-C', root, '--format=posix', '-cf', '-', '.')],
  ['bsdtar --format=pax', (root) => execFileSync('bsdtar', ['-C', root, '--format=pax', '-cf', '-', '.'])],
  [
    'bsdtar --format=gnutar',
    (root) => execFileSync('bsdtar', ['-C', root, '--format=gnutar', '-cf', '-', '.']),
  ],
  ['Python PAX_FORMAT', (root) => python(root, 'PAX_FORMAT')],
  ['Python GNU_FORMAT', (root) => python(root, 'GNU_FORMAT')],
];

function python(root: string, format: string): Buffer {
  const script = `import sys, tarfile
with tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=tarfile.${format}) as t: t.add(sys.argv[1], '.')`;
  return execFileSync('python3', ['-c', script, root], { env: { ...process.env, LC_ALL: 'C.UTF-8' } });
}

for (const [name, run] of writers) {
  test(`readTar: reads what ${name} writes`, async () => {
    using scratch = scratchDir();
    makeTree(scratch.path);
    const archive = run(scratch.path);
    for (const pieceSize of [1 << 20, 700, 13]) {
      const entries = new Map(
        (await readAll(archive, { pieceSize })).map((e) => [e.path.replace(/^\.\/|\/$/g, ''), e]),
      );
      const text = (path: string): string | undefined => entries.get(path)?.content.toString();
      const links = ['dir/plain', 'dir/second'].map((path) => entries.get(path));
      const plain = links.find((entry) => entry?.kind === 'file');
      const second = links.find((entry) => entry?.kind === 'hardlink');
      assert.deepEqual([plain?.content.toString(), plain?.uid, plain?.gid], ['hello', 1000, 70000]);
      assert.equal(plain?.mode, 0o644);
      assert.equal(plain?.mtime, 1_700_000_000_000_000_000n);
      assert.equal(second?.linkPath.replace(/^\.\//, ''), plain?.path.replace(/^\.\//, ''));
      assert.equal(text(longName), 'long');
      assert.equal(text(byteString(unicodeName)), 'unicode');
      if (!name.startsWith('bsdtar --format=pax') && !name.startsWith('Python PAX'))
        assert.equal(text('latin\xe9'), 'bytes');
      assert.deepEqual([entries.get('dir')?.kind, entries.get('dir')?.mode], ['directory', 0o755]);
      assert.equal(entries.get('dir/link')?.linkPath, '../somewhere');
      assert.equal(entries.get('longlink')?.linkPath, 'x'.repeat(200));
      assert.equal(entries.get('fifo')?.kind, 'fifo');
      const device = entries.get('null');
      assert.deepEqual([device?.kind, device?.devMajor, device?.devMinor], ['char', 1, 3]);
    }
  });
}

const sparseWriters: readonly (readonly [name: string, args: readonly string[]])[] = [
  ['the old GNU format', ['--format=gnu']],
  ['PAX format 0.0', ['--format=posix', '--sparse-version=0.0']],
  ['PAX format 0.1', ['--format=posix', '--sparse-version=0.1']],
  ['PAX format 1.0', ['--format=posix', '--sparse-version=1.0']],
];

for (const [name, args] of sparseWriters) {
  test(`readTar: reads sparse files of ${name}, also over 8 GB and with many runs`, async () => {
    using scratch = scratchDir();
    const path = scratch.join('sparse');
    const fd = openSync(path, 'w');
    // More runs than fit one header and one extension block.
    for (let i = 0; i < 60; i++) writeSync(fd, `run ${i}`.padEnd(4096, '.'), i * (1 << 20));
    writeSync(fd, 'end', 9 * 2 ** 30);
    closeSync(fd);
    truncateSync(path, 10 * 2 ** 30);
    const [entry] = await readAll(tar('-C', scratch.path, '-S', ...args, '-cf', '-', 'sparse'));
    assert.equal(entry?.path, 'sparse');
    assert.equal(entry?.size, 10 * 2 ** 30);
    assert.equal(entry?.kind, 'file');
    assert.equal(entry?.sparse?.length, 61);
    assert.deepEqual(entry?.sparse?.[59], { offset: 59 * (1 << 20), length: 4096 });
    assert.equal(entry?.content.toString('latin1', 59 * 4096, 59 * 4096 + 6), 'run 59');
    assert.equal(entry?.content.toString('latin1', 60 * 4096, 60 * 4096 + 3), 'end');
    assert.equal(lstatSync(path).size, entry?.size);
  });
}

test('readTar: takes sizes over 8 GB from a base-256 field and from a pax record', async () => {
  for (const format of ['GNU_FORMAT', 'PAX_FORMAT']) {
    const script = `import sys, tarfile
t = tarfile.TarInfo('big'); t.size = 9 * 2**30; t.uid = 2**31; t.mtime = -5
sys.stdout.buffer.write(t.tobuf(tarfile.${format}))`;
    const header = execFileSync('python3', ['-c', script]);
    for await (const entry of readTar(pieces(header))) {
      assert.deepEqual([entry.size, entry.uid, entry.mtime], [9 * 2 ** 30, 2 ** 31, -5_000_000_000n]);
      break;
    }
  }
});

test('readTar: skips what is not read of the content', async () => {
  const archive = await tarOf(file('a', 'x'.repeat(5000)), file('b', 'second'));
  const paths: string[] = [];
  for await (const entry of readTar(pieces(archive, 100))) {
    for await (const _ of entry.body) break;
    paths.push(entry.path);
  }
  assert.deepEqual(paths, ['a', 'b']);
});

test('readTar: reads the stream to its end, past the end of the archive', async () => {
  let read = 0;
  async function* source(): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces(Buffer.concat([await tarOf(file('a')), Buffer.alloc(9000)]), 1000)) {
      read += piece.length;
      yield piece;
    }
  }
  await Array.fromAsync(readTar(source()));
  assert.equal(read, 512 + 1024 + 9000);
});

test('readTar: global headers count until they are taken back, and local ones go first', async () => {
  const pax = (type: string, records: string): Buffer => {
    const block = Buffer.concat([
      Buffer.alloc(512),
      Buffer.from(records),
      Buffer.alloc(512 - records.length),
    ]);
    block.write('pax', 0);
    block.write(records.length.toString(8).padStart(11, '0'), 124);
    block.write(type, 156);
    block.write('ustar\x0000', 257);
    fixChecksum(block);
    return block;
  };
  const plain = async (name: string): Promise<Buffer> => (await tarOf(file(name))).subarray(0, 512);
  const archive = Buffer.concat([
    pax('g', '12 uid=1234\n12 gid=4321\n'),
    await plain('a'),
    pax('x', '11 uid=555\n'),
    await plain('b'),
    pax('x', '7 uid=\n'),
    await plain('c'),
  ]);
  const entries = await readAll(archive);
  assert.deepEqual(
    entries.map(({ path, uid, gid }) => [path, uid, gid]),
    [
      ['a', 1234, 4321],
      ['b', 555, 4321],
      ['c', 0, 4321],
    ],
  );
});

test('readTar: an archive may end without its end blocks, an empty stream is an archive', async () => {
  const archive = await tarOf(file('a', 'x'));
  assert.equal((await readAll(archive.subarray(0, 1024))).length, 1);
  // Docker's client leaves out the padding of the last file, too.
  for (const length of [513, 600]) {
    assert.deepEqual(
      (await readAll(archive.subarray(0, length))).map(({ content }) => content.toString()),
      ['x'],
    );
  }
  assert.deepEqual(await readAll(Buffer.alloc(0)), []);
});
