import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EngineError } from '#/base/errors.ts';
import { formatPax } from './pax.ts';
import { directory, file, fixChecksum, link, readAll, tarOf } from './tar-samples.ts';

/** Archives that must be refused, by what is wrong with them. */
const malformed: readonly (readonly [title: string, make: () => Promise<Buffer>, message: RegExp])[] = [
  [
    'a stream that is no archive',
    async () => Buffer.alloc(2000, 'not an archive. '),
    /wrong header checksum/,
  ],
  ['a header cut short', async () => (await tarOf(file('a'))).subarray(0, 300), /unexpected end/],
  [
    'content cut short',
    async () => (await tarOf(file('a', 'x'.repeat(2000)))).subarray(0, 900),
    /unexpected end/,
  ],
  ['a size that is no number', () => changed(124, '12z45678901'), /not an octal number/],
  ['a negative size', () => changed(124, Buffer.alloc(12, 0xff)), /negative size/],
  [
    'a size over all bounds',
    () => changed(124, Buffer.concat([Buffer.from([0x80]), Buffer.alloc(11, 0xff)])),
    /out of range/,
  ],
  ['an unknown type', () => changed(156, 'M'), /unknown type "M"/],
  ['a user of -1', () => changed(108, Buffer.alloc(8, 0xff)), /out of range/],
  ['a pax record that is too long', () => paxed('99 path=a\n'), /malformed record/],
  ['a pax record without a newline', () => paxed('9 path=ab'), /malformed record/],
  ['a pax record without a keyword', () => paxed('5 =a\n'), /without a keyword/],
  ['a pax record with a NUL in a name', () => paxed('11 path=a\0\n'), /NUL in the name/],
  ['a pax size that is negative', () => paxed('11 size=-1\n'), /not a valid "size"/],
  ['a pax size that is huge', () => paxed('29 size=99999999999999999999\n'), /not a valid "size"/],
  ['a pax time that is none', () => paxed('14 mtime=soon\n'), /not a valid "mtime"/],
  ['a sparse map that overlaps', () => paxed(sparse01('0,512,256,256')), /malformed map/],
  ['a sparse map beyond the file', () => paxed(sparse01('4000,512')), /malformed map/],
  ['a sparse map that the content does not fit', () => paxed(sparse01('0,512')), /another size/],
];

function sparse01(map: string): string {
  return formatPax([
    ['GNU.sparse.size', '4096'],
    ['GNU.sparse.map', map],
  ]).toString();
}

async function changed(offset: number, value: string | Buffer): Promise<Buffer> {
  const archive = await tarOf(file('a'));
  archive.set(Buffer.from(value), offset);
  fixChecksum(archive);
  return archive;
}

async function paxed(records: string): Promise<Buffer> {
  const header = (await tarOf(file('x'))).subarray(0, 512);
  header.write('x', 156);
  header.write(records.length.toString(8).padStart(11, '0'), 124);
  fixChecksum(header);
  const padding = Buffer.alloc((512 - (records.length % 512)) % 512);
  return Buffer.concat([header, Buffer.from(records), padding, await tarOf(file('a'))]);
}

for (const [title, make, message] of malformed) {
  test(`readTar: refuses ${title}`, async () => {
    const archive = await make();
    await assert.rejects(
      readAll(archive),
      (error) => error instanceof EngineError && error.kind === 'invalid' && message.test(error.message),
    );
  });
}

test('readTar: is bounded in headers, metadata and global headers', async () => {
  const many = await tarOf(...Array.from({ length: 20 }, (_, i) => file(`f${i}`)));
  await assert.rejects(readAll(many, { maxEntries: 19 }), { kind: 'tooLarge' });
  const long = await tarOf(file('n'.repeat(5000)));
  await assert.rejects(readAll(long, { maxMetadata: 4096 }), { kind: 'tooLarge' });
  const announced = await paxed('9 path=ab\n');
  announced.write('77777777777', 124);
  fixChecksum(announced);
  await assert.rejects(readAll(announced), { kind: 'tooLarge' });
});

async function refusedOrRead(archive: Uint8Array): Promise<void> {
  try {
    await readAll(archive, { pieceSize: 300 });
  } catch (error) {
    if (!(error instanceof EngineError) || (error.kind !== 'invalid' && error.kind !== 'tooLarge'))
      throw error;
  }
}

test('readTar: arbitrary bytes are read or refused', async () => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), refusedOrRead), { numRuns: 300 });
});

test('readTar: damaged archives with right checksums are read or refused', async () => {
  const sample = await tarOf(
    directory('d'),
    file(`${'d'.repeat(90)}/${'e'.repeat(90)}`, 'x'.repeat(700), {
      xattrs: new Map([['user.a', Buffer.from('b')]]),
    }),
    {
      ...file('sparse', 'ab', { size: 5000 }),
      sparse: [
        { offset: 5, length: 1 },
        { offset: 4096, length: 1 },
      ],
    },
    link('hardlink', 'h', 'd'),
  );
  const damage = fc.array(fc.tuple(fc.nat(sample.length - 1), fc.nat(255)), { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(damage, async (changes) => {
      const archive = Buffer.from(sample);
      for (const [offset, value] of changes) archive[offset] = value;
      for (let offset = 0; offset < archive.length; offset += 512) {
        if (archive.toString('latin1', offset + 257, offset + 262) === 'ustar') fixChecksum(archive, offset);
      }
      await refusedOrRead(archive);
    }),
    { numRuns: 500 },
  );
});
