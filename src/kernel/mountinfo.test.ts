import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { mount, unmount } from './mount.ts';
import { isMountPoint, type MountInfo, parseMountInfo, propagationOf, readMountInfo } from './mountinfo.ts';

test('parseMountInfo: reads every field', () => {
  const line =
    '36 35 98:0 /mnt1 /mnt\\0402 rw,noatime shared:7 master:1 - ext3 /dev/root\\134x rw,errors=continue,lowerdir=a\\054b\n';
  assert.deepEqual(parseMountInfo(line), [
    {
      id: 36,
      parent: 35,
      device: '98:0',
      root: '/mnt1',
      mountPoint: '/mnt 2',
      options: ['rw', 'noatime'],
      tags: ['shared:7', 'master:1'],
      type: 'ext3',
      source: '/dev/root\\x',
      superOptions: ['rw', 'errors=continue', 'lowerdir=a,b'],
    },
  ]);
});

test('parseMountInfo: an empty source, no super options, a mount point named "-"', () => {
  assert.deepEqual(
    parseMountInfo('1 2 0:1 / /a rw - tmpfs  rw\n3 4 0:2 / - rw - tmpfs -\n').map((one) => [
      one.mountPoint,
      one.source,
      one.superOptions,
    ]),
    [
      ['/a', '', ['rw']],
      ['-', '-', []],
    ],
  );
  assert.deepEqual(parseMountInfo(''), []);
});

test('parseMountInfo: refuses lines of another form', () => {
  for (const line of [
    'x',
    '1 2 3 4 5 6',
    '1 2 0:1 / /a rw shared:1',
    'a 2 0:1 / /a rw - tmpfs tmpfs rw',
    '1 2 0:1 / /a rw -',
  ]) {
    assert.throws(() => parseMountInfo(line), /unexpected line in mountinfo/, line);
  }
});

/** Writes as the kernel does (seq_path, mangle). */
function escape(text: string): string {
  return text.replace(
    /[ \t\n\\#]/g,
    (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );
}

const word = fc.string({
  unit: fc.constantFrom('a', '/', ' ', '\t', '\n', '\\', '#', '0', '4', ':', '-', '€', '='),
});
const option = fc.stringMatching(/^[a-z=:0-9]{1,8}$/);
const mounts: fc.Arbitrary<MountInfo[]> = fc.array(
  fc.record(
    {
      id: fc.nat(),
      parent: fc.nat(),
      device: fc.constant('0:1'),
      root: word.map((text) => `/${text}`),
      mountPoint: word.map((text) => `/${text}`),
      options: fc.array(option, { minLength: 1, maxLength: 3 }),
      tags: fc.array(fc.constantFrom('shared:1', 'master:2', 'propagate_from:3', 'unbindable'), {
        maxLength: 3,
      }),
      type: fc.constantFrom('tmpfs', 'fuse.x', 'overlay'),
      source: word,
      superOptions: fc.array(option, { minLength: 1, maxLength: 3 }),
    },
    { noNullPrototype: true },
  ),
  { maxLength: 4 },
);

test('parseMountInfo: reads back whatever the kernel may write', () => {
  fc.assert(
    fc.property(mounts, (list) => {
      const text = list
        .map((one) => {
          const head = [
            one.id,
            one.parent,
            one.device,
            escape(one.root),
            escape(one.mountPoint),
            one.options.join(','),
          ];
          return [...head, ...one.tags, '-', one.type, escape(one.source), one.superOptions.join(',')].join(
            ' ',
          );
        })
        .map((line) => `${line}\n`)
        .join('');
      assert.deepEqual(parseMountInfo(text), list);
    }),
  );
});

test('readMountInfo: sees a mount at a path with odd characters, and that of other processes', () => {
  const dir = mkdtempSync(join(tmpdir(), 'mount info-'));
  const path = join(dir, 'a b\tc\nd\\e#f€');
  mkdirSync(path);
  assert.equal(isMountPoint(path), false);
  mount({ type: 'tmpfs', source: 'odd source', options: ['private'] }, path);
  assert.equal(isMountPoint(path), true);
  const found = readMountInfo().find((one) => one.mountPoint === path);
  assert.equal(found?.source, 'odd source');
  assert.equal(propagationOf(path), 'private');
  symlinkSync(path, join(dir, 'link'));
  assert.equal(isMountPoint(join(dir, 'link')), false);
  assert.deepEqual(readMountInfo(process.pid), readMountInfo('self'));
  unmount(path);
  rmSync(dir, { recursive: true });
});

test('readMountInfo: lists as many mounts as the kernel', () => {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').trimEnd().split('\n');
  assert.equal(readMountInfo().length, lines.length);
  assert.throws(() => readMountInfo(2 ** 22 + 1), { code: 'ENOENT' });
});

test('isMountPoint, propagationOf: ENOENT for what is not there', () => {
  assert.throws(() => isMountPoint('/nonexistent/x'), { code: 'ENOENT' });
  assert.throws(() => propagationOf('/nonexistent/x'), { code: 'ENOENT' });
});
