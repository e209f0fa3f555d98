import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { byteString } from '#/base/byte-string.ts';
import { fileHeader, storedSize, type TarHeader } from './tar-entry.ts';
import { directory, file, link, readAll, tarOf } from './tar-samples.ts';
import { type TarInput, writeTar } from './tar-writer.ts';

const byte = fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code));
/** Any file name: bytes but NUL and the slash. */
const component = fc
  .string({ unit: byte, minLength: 1, maxLength: 140 })
  .map((name) => name.replaceAll('/', '_'))
  .filter((name) => name !== '.' && name !== '..');
const path = fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const id = fc.oneof(fc.nat(70000), fc.integer({ min: 2 ** 21 - 2, max: 2 ** 32 - 2 }));
const mtime = fc.bigInt({ min: -(10n ** 18n), max: 10n ** 20n });
const xattrs = fc
  .array(
    fc.tuple(
      component.filter((name) => !name.includes('=')),
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
    ),
    { maxLength: 3 },
  )
  .map((pairs) => new Map(pairs.map(([name, value]) => [`user.${name}`, Buffer.from(value)])));
const common = fc.record({ path, mode: fc.nat(0o7777), uid: id, gid: id, mtime, xattrs });

const content = fc.uint8Array({ maxLength: 2000 });
const sparse = fc
  .tuple(
    fc.array(fc.tuple(fc.integer({ min: 1, max: 2 ** 40 }), fc.integer({ min: 1, max: 300 })), {
      maxLength: 40,
    }),
    fc.nat(2 ** 40),
  )
  .map(([gaps, tail]) => {
    let end = 0;
    const runs = gaps.map(([gap, length]) => {
      const run = { offset: end + gap, length };
      end = run.offset + length;
      return run;
    });
    return { sparse: runs, size: end + tail };
  });
const device = fc.oneof(fc.nat(4095), fc.integer({ min: 2 ** 21 - 2, max: 2 ** 32 - 1 }));

const entry: fc.Arbitrary<TarInput> = common.chain((base) => {
  const header: TarHeader = { ...fileHeader('', 0), ...base };
  return fc.oneof(
    content.map((bytes): TarInput => ({ ...header, size: bytes.length, body: [bytes] })),
    sparse.map((holes): TarInput => {
      const whole = { ...header, ...holes };
      return { ...whole, body: [Buffer.alloc(storedSize(whole), 'data')] };
    }),
    fc.constant<TarInput>({ ...header, kind: 'directory', path: `${header.path}/` }),
    path.map((linkPath): TarInput => ({ ...header, kind: 'symlink', linkPath })),
    path.map((linkPath): TarInput => ({ ...header, kind: 'hardlink', linkPath })),
    fc.constant<TarInput>({ ...header, kind: 'fifo' }),
    fc
      .tuple(device, device)
      .map(([devMajor, devMinor]): TarInput => ({ ...header, kind: 'char', devMajor, devMinor })),
  );
});

test('writeTar: what is written is read again', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(entry, { maxLength: 6 }),
      fc.integer({ min: 1, max: 3000 }),
      async (entries, pieceSize) => {
        const archive = await tarOf(...entries);
        assert.equal(archive.length % 512, 0);
        const expected = entries.map(({ body, ...header }) => ({
          ...header,
          content: Buffer.concat([...((body ?? []) as Iterable<Uint8Array>)]),
        }));
        assert.deepEqual(await readAll(archive, { pieceSize }), expected);
        assert.deepEqual(await tarOf(...entries), archive);
      },
    ),
    { numRuns: 300 },
  );
});

const samples = [
  directory('dir', { mode: 0o1777 }),
  file('dir/plain', 'hello', { uid: 1000, gid: 3_000_000, mtime: 1_700_000_000_000_000_000n }),
  file(`long/${'n'.repeat(200)}`, 'long'),
  file(byteString('Főtanúsítvány'), 'unicode', { mtime: 1_700_000_000_123_456_789n }),
  {
    ...file('sparse', 'ab', { size: 10_000 }),
    sparse: [
      { offset: 3, length: 1 },
      { offset: 8192, length: 1 },
    ],
  },
  link('symlink', 'link', 't'.repeat(150)),
  link('hardlink', 'hard', 'dir/plain'),
];

test('writeTar: GNU tar and bsdtar list it as it is', async () => {
  const input = await tarOf(...samples);
  const expected = [
    'dir/',
    'dir/plain',
    `long/${'n'.repeat(200)}`,
    'Főtanúsítvány',
    'sparse',
    'link',
    'hard',
  ];
  for (const program of ['tar', 'bsdtar']) {
    const args = program === 'tar' ? ['--quoting-style=literal', '-tf', '-'] : ['-tf', '-'];
    const list = execFileSync(program, args, { input, env: { ...process.env, LC_ALL: 'C.UTF-8' } });
    assert.deepEqual(list.toString().trim().split('\n'), expected, program);
  }
});

test('writeTar: Python reads numbers, times and holes from it', async () => {
  const script = `import sys, tarfile, json, io
t = tarfile.open(fileobj=io.BytesIO(sys.stdin.buffer.read()))
print(json.dumps([[m.name, m.uid, m.gid, m.size, m.mtime, m.mode] for m in t.getmembers()]))
s = t.extractfile('sparse').read(); print(len(s), s[3:4].decode(), s[8192:8193].decode(), s.count(0))`;
  const output = execFileSync('python3', ['-c', script], { input: await tarOf(...samples) })
    .toString()
    .split('\n');
  const members = JSON.parse(output[0] ?? '') as unknown[][];
  assert.deepEqual(members[1], ['dir/plain', 1000, 3_000_000, 5, 1_700_000_000, 0o644]);
  assert.equal(members[3]?.[4], 1_700_000_000.1234567);
  assert.equal(output[1], '10000 a b 9998');
});

test('writeTar: content of another size than announced is an error', async () => {
  await assert.rejects(
    tarOf({ ...fileHeader('a', 5), body: [Buffer.from('1234')] }),
    /5 bytes announced, got only 4/,
  );
  await assert.rejects(
    tarOf({ ...fileHeader('a', 5), body: [Buffer.from('123456')] }),
    /5 bytes announced, got more/,
  );
});

/** Lends each chunk in one and the same buffer, which is spoilt afterwards. */
async function* lending(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  const buffer = Buffer.alloc(Math.max(0, ...chunks.map(({ length }) => length)));
  for (const chunk of chunks) {
    buffer.set(chunk);
    yield buffer.subarray(0, chunk.length);
    buffer.fill('spoilt');
  }
}

test('writeTar: what is lent and lends gives the same archive', async () => {
  const chunk = fc
    .tuple(fc.nat(255), fc.oneof(fc.nat(3000), fc.integer({ min: 60_000, max: 200_000 })))
    .map(([byte, length]) => Buffer.alloc(length, byte));
  const files = fc.array(fc.array(chunk, { maxLength: 5 }), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(files, async (bodies) => {
      const header = (n: number): TarHeader =>
        fileHeader(byteString(`f${n}`), Buffer.concat(bodies[n] ?? []).length);
      const kept = await tarOf(...bodies.map((body, n) => ({ ...header(n), body })));
      const lent: Buffer[] = [];
      const entries = bodies.map((body, n) => ({ ...header(n), body: lending(body) }));
      for await (const piece of writeTar(entries, { lent: true })) lent.push(Buffer.from(piece));
      assert.deepEqual(Buffer.concat(lent), kept);
    }),
    { numRuns: 50 },
  );
});
