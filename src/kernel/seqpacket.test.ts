import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { close } from './at.ts';
import { bindLibrary, cstring, libc } from './libc.ts';
import { SeqpacketSocket } from './seqpacket.ts';

const dir = mkdtempSync(join(tmpdir(), 'seqpacket-'));
after(() => rmSync(dir, { recursive: true }));

const native = bindLibrary<{ accept(fd: number, address: null, length: null): number }>(null, {
  accept: 'int accept(int, void *, void *)',
});

/** A listening socket at `name` inside `where`, however long that path is. */
function listenAt(where: string, name: string): number {
  const fd = libc.socket(1, 5, 0);
  const path = cstring(name);
  const address = Buffer.alloc(2 + path.length);
  address.writeUInt16LE(1, 0);
  path.copy(address, 2);
  const home = process.cwd();
  process.chdir(where);
  assert.equal(libc.bind(fd, address, address.length), 0);
  process.chdir(home);
  assert.equal(libc.listen(fd, 4), 0);
  return fd;
}

function closed(socket: SeqpacketSocket): Promise<Error | undefined> {
  return new Promise((resolve) => {
    socket.onClose = resolve;
  });
}

test('SeqpacketSocket: packets keep their borders in both directions', async () => {
  const [a, b] = SeqpacketSocket.pair();
  const got: string[] = [];
  b.onPacket = (data) => {
    got.push(data.toString());
    b.send(Buffer.from(`echo ${data.toString()}`));
  };
  const { promise: answered, resolve } = Promise.withResolvers<void>();
  const echoes: string[] = [];
  a.onPacket = (data) => {
    if (echoes.push(data.toString()) === 3) resolve();
  };
  for (const text of ['one', 'two', 'three']) assert.equal(a.send(Buffer.from(text)), true);
  await answered;
  assert.deepEqual(got, ['one', 'two', 'three']);
  assert.deepEqual(echoes, ['echo one', 'echo two', 'echo three']);
  a.close();
  assert.equal(await closed(b), undefined);
});

test('SeqpacketSocket: what was sent before the end arrives, then onClose', async () => {
  const [a, b] = SeqpacketSocket.pair();
  const got: number[] = [];
  b.onPacket = (data) => got.push(data.length);
  const end = closed(b);
  for (let size = 1; size <= 100; size++) a.send(Buffer.alloc(size));
  a.close();
  await end;
  assert.deepEqual(
    got,
    Array.from({ length: 100 }, (_, index) => index + 1),
  );
  assert.throws(() => b.send(Buffer.from('x')), { code: 'EPIPE' });
});

test('SeqpacketSocket: data sent by a peer that dies with unread input still arrives', async () => {
  const [a, b] = SeqpacketSocket.pair();
  const got: string[] = [];
  a.onPacket = (data) => got.push(data.toString());
  const end = closed(a);
  a.send(Buffer.from('never read'));
  b.send(Buffer.from('last words'));
  b.close();
  assert.equal(await end, undefined);
  assert.deepEqual(got, ['last words']);
});

test('SeqpacketSocket: pause leaves packets in the kernel and stops the sender; resume delivers all', async () => {
  const [a, b] = SeqpacketSocket.pair();
  let received = 0;
  b.onPacket = () => {
    received++;
  };
  b.pause();
  const packet = Buffer.alloc(8192);
  let sent = 0;
  while (a.send(packet)) sent++;
  assert.ok(sent > 1 && sent < 1000, `${sent} packets fit`);
  for (let count = 0; count < 5; count++) await turn();
  assert.equal(received, 0);
  const { promise: drained, resolve } = Promise.withResolvers<void>();
  a.onDrain = resolve;
  b.resume();
  await drained;
  assert.equal(a.send(packet), true);
  const end = closed(b);
  a.close();
  await end;
  assert.equal(received, sent + 1);
});

test('SeqpacketSocket: pausing inside onPacket holds the next one back', async () => {
  const [a, b] = SeqpacketSocket.pair();
  const got: string[] = [];
  const end = closed(b);
  b.onPacket = (data) => {
    got.push(data.toString());
    b.pause();
  };
  for (const text of ['1', '2', '3']) a.send(Buffer.from(text));
  a.close();
  for (let round = 1; round <= 3; round++) {
    while (got.length < round) await turn();
    for (let count = 0; count < 3; count++) await turn();
    assert.equal(got.length, round);
    b.resume();
  }
  await end;
});

test('SeqpacketSocket.close: may be repeated and called from a handler, onClose stays silent', async () => {
  const [a, b] = SeqpacketSocket.pair();
  let calls = 0;
  b.onClose = () => calls++;
  b.onPacket = () => {
    b.close();
    calls += 10;
  };
  a.send(Buffer.from('1'));
  a.send(Buffer.from('2'));
  await closed(a);
  b.close();
  assert.equal(calls, 10);
});

test('SeqpacketSocket.shutdownWrite: the other side sees the end', async () => {
  const [a, b] = SeqpacketSocket.pair();
  const end = closed(b);
  a.shutdownWrite();
  await end;
  a.close();
  a.shutdownWrite();
});

test('SeqpacketSocket.send: refuses what cannot be sent', () => {
  const [a, b] = SeqpacketSocket.pair();
  assert.throws(() => a.send(Buffer.alloc(0)), RangeError);
  assert.throws(() => a.send(Buffer.alloc(16 << 20)), { code: 'EMSGSIZE' });
  b.close();
  assert.throws(() => a.send(Buffer.from('x')), { code: /EPIPE|ECONNRESET/ });
  a.close();
});

test('SeqpacketSocket: a packet that is too long ends the connection with an error', async () => {
  const [a, b] = SeqpacketSocket.pair();
  const end = closed(b);
  a.send(Buffer.alloc(70_000));
  assert.match(String(await end), /a packet of 70000 bytes/);
  a.close();
});

test('SeqpacketSocket.connect: paths of every length', async () => {
  const long = join(dir, 'd'.repeat(200), 'e'.repeat(200));
  mkdirSync(long, { recursive: true });
  for (const [where, name] of [
    [dir, 's'],
    [long, 's'],
    [long, 'n'.repeat(100)],
  ] as const) {
    const listener = listenAt(where, name);
    const client = SeqpacketSocket.connect(join(where, name));
    const server = new SeqpacketSocket(native.accept(listener, null, null));
    const { promise: got, resolve } = Promise.withResolvers<Buffer>();
    server.onPacket = resolve;
    client.send(Buffer.from('hello'));
    assert.equal((await got).toString(), 'hello');
    client.close();
    await closed(server);
    close(listener);
  }
});

test('SeqpacketSocket.connect: failures name the path and leak nothing', () => {
  const listener = listenAt(dir, 'gone');
  close(listener);
  const before = readdirSync('/proc/self/fd').length;
  const path = join(dir, 'gone');
  assert.throws(() => SeqpacketSocket.connect(path), { code: 'ECONNREFUSED', syscall: 'connect', path });
  assert.throws(() => SeqpacketSocket.connect(join(dir, 'none')), { code: 'ENOENT' });
  assert.throws(() => SeqpacketSocket.connect(join(dir, 'x'.repeat(200))), { code: 'ENOENT' });
  assert.equal(readdirSync('/proc/self/fd').length, before);
});
