import assert from 'node:assert/strict';
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { packetPair } from '#tests/memory-packets.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { Packet_PacketType as kinds, type PacketSchema } from '../messages/fsutil_pb.ts';
import { type ReceivingTree, receiveTree } from './receive.ts';
import type { ReceivedEntry } from './received-entry.ts';
import { sendTree } from './send.ts';

type Packet = MessageInitShape<typeof PacketSchema>;

/** Keeps what it is given. */
class MemoryTree implements ReceivingTree {
  readonly entries: ReceivedEntry[] = [];
  readonly contents = new Map<string, Buffer>();
  readonly ended: string[] = [];
  readonly #wants: (path: string) => boolean;

  constructor(wants: (path: string) => boolean = () => true) {
    this.#wants = wants;
  }

  entry(entry: ReceivedEntry): boolean {
    this.entries.push(entry);
    return entry.kind === 'file' && this.#wants(entry.path);
  }

  write(path: string, piece: Buffer): undefined {
    this.contents.set(path, Buffer.concat([this.contents.get(path) ?? Buffer.alloc(0), piece]));
  }

  end(path: string): undefined {
    this.ended.push(path);
  }
}

test('receiveTree: takes what sendTree sends', async () => {
  using dir = scratchDir();
  mkdirSync(join(dir.path, 'a/b'), { recursive: true, mode: 0o750 });
  writeFileSync(join(dir.path, 'a/b/large'), Buffer.alloc(1_200_000, 'x'));
  writeFileSync(join(dir.path, 'a/empty'), '', { mode: 0o600 });
  writeFileSync(join(dir.path, 'a.b'), 'sorts between');
  writeFileSync(join(dir.path, 'naïve'), 'name of two bytes');
  symlinkSync('../outside', join(dir.path, 'link'));
  linkSync(join(dir.path, 'a.b'), join(dir.path, 'z'));
  const [sender, receiver] = packetPair();
  const tree = new MemoryTree();
  let received = 0;
  const receiving = receiveTree(receiver, tree, (total) => {
    received = total;
  });
  await Promise.all([receiving, sendTree(sender, dir.path, () => {})]);
  assert.deepEqual(
    tree.entries.map(({ path, kind, mode, size, linkPath }) => [path, kind, mode, size, linkPath]),
    [
      ['a', 'directory', 0o750, 0, ''],
      ['a/b', 'directory', 0o750, 0, ''],
      ['a/b/large', 'file', 0o644, 1_200_000, ''],
      ['a/empty', 'file', 0o600, 0, ''],
      ['a.b', 'file', 0o644, 13, ''],
      ['link', 'symlink', 0o777, 0, '../outside'],
      [Buffer.from('naïve').toString('latin1'), 'file', 0o644, 17, ''],
      ['z', 'hardlink', 0o644, 0, 'a.b'],
    ],
  );
  assert.equal(tree.contents.get('a/b/large')?.length, 1_200_000);
  assert.equal(String(tree.contents.get('a.b')), 'sorts between');
  assert.deepEqual(tree.ended.toSorted(), ['a.b', 'a/b/large', 'a/empty', tree.entries[6]?.path]);
  assert.ok(received > 1_200_000);
});

test('receiveTree: asks only for what the tree wants', async () => {
  using dir = scratchDir();
  for (const name of ['one', 'three', 'two']) writeFileSync(join(dir.path, name), name);
  const [sender, receiver] = packetPair();
  const tree = new MemoryTree((path) => path === 'two');
  await Promise.all([receiveTree(receiver, tree, () => {}), sendTree(sender, dir.path, () => {})]);
  assert.deepEqual([...tree.contents.keys()], ['two']);
});

/** A file as a sender lists it. */
function file(path: string, more: object = {}): Packet {
  return { type: kinds.STAT, stat: { path, mode: 0o644, size: 1n, ...more } };
}

const directory = 2 ** 31;
const symlink = 1 << 27;

test('receiveTree: refuses senders that lie', async (t) => {
  const end: Packet = { type: kinds.STAT };
  const cases: [string, Packet[], RegExp][] = [
    ['dots', [file('../x')], /"\.\.\/x" has the component "\.\."/],
    ['dots inside', [file('a', { mode: directory }), file('a/../x')], /has the component "\.\."/],
    ['a dot', [file('./x')], /has the component "\."/],
    ['an absolute path', [file('/etc/passwd')], /has an empty component/],
    ['no name', [file('')], /has no name/],
    ['a slash at the end', [file('a/')], /has an empty component/],
    ['a NUL byte', [file('a\0b')], /has a NUL byte/],
    ['a long name', [file('a'.repeat(256))], /a component that is too long/],
    ['a long path', [file(`${'a/'.repeat(2100)}b`)], /is too long/],
    ['no directory', [file('a/b')], /is in "a", which is no directory/],
    ['a file as directory', [file('a'), file('a/b')], /is in "a", which is no directory/],
    [
      'a link as directory',
      [file('a', { mode: symlink, linkname: '/' }), file('a/b')],
      /is in "a", which is no directory/,
    ],
    [
      'a directory that was left',
      [file('a', { mode: directory }), file('b'), file('b/c')],
      /is in "b", which is no directory/,
    ],
    ['the same name again', [file('a'), file('a')], /comes after "a"/],
    ['a wrong order', [file('b'), file('a')], /comes after "b"/],
    ['a hard link to elsewhere', [file('a', { linkname: '/etc/shadow' })], /did not come before/],
    [
      'a hard link to a link',
      [file('a', { mode: symlink, linkname: '/etc/shadow' }), file('b', { linkname: 'a' })],
      /did not come before/,
    ],
    ['a link to nothing', [file('a', { mode: symlink })], /is a link to nothing/],
    ['an unknown kind', [file('a', { mode: 1 << 19 })], /has the unknown mode/],
    ['a negative size', [file('a', { size: -1n })], /has the size -1/],
    ['content of a file that was not asked for', [file('a'), { type: kinds.DATA, id: 7 }], /sends file 7/],
    [
      'content after the end of a file',
      [
        file('a'),
        file('b'),
        { type: kinds.DATA, id: 0 },
        { type: kinds.DATA, id: 0, data: Buffer.from('x') },
      ],
      /sends file 0, which it was not asked for/,
    ],
    ['an end of the list and more', [end, file('a')], /after the end of the list/],
    ['an early end', [file('a'), end, { type: kinds.FIN }], /finished before it sent all files/],
    ['more after the end', [end, { type: kinds.FIN }, end], /after it has finished/],
    ['nothing more', [file('a'), end], /has ended the transfer/],
    ['a request', [{ type: kinds.REQ, id: 0 }], /unknown type 1/],
    ['an unknown packet', [{ type: 9 as never }], /unknown type 9/],
    ['its own failure', [{ type: kinds.ERR, data: Buffer.from('no space') }], /error from sender: no space/],
  ];
  for (const [name, packets, message] of cases) {
    await t.test(name, async () => {
      const [sender, receiver] = packetPair();
      for (const packet of packets) await sender.send(packet);
      sender.end();
      await assert.rejects(
        receiveTree(receiver, new MemoryTree(), () => {}),
        message,
      );
    });
  }
});

test('sendTree: refuses requests for what it did not list', async () => {
  using dir = scratchDir();
  writeFileSync(join(dir.path, 'a'), 'a');
  const [sender, receiver] = packetPair();
  await receiver.send({ type: kinds.REQ, id: 5 });
  await assert.rejects(
    sendTree(sender, dir.path, () => {}),
    /asks for file 5/,
  );
});
