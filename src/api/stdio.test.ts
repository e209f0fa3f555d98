import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import type { AttachOptions } from '#/engine/containers/attach.ts';
import type { ExecRequest } from '#/engine/containers/execs.ts';
import type { Output, StdioSession } from '#/engine/containers/stdio.ts';
import { encodeFrame } from '#/wire/frames.ts';
import { readUntil, serve, type TestServer } from '#tests/api-client.ts';
import { fakeBackend } from '#tests/fake-backend.ts';
import { containerStreamRoutes } from './routes/container-streams.ts';
import { execRoutes } from './routes/exec.ts';

type OutputChunk = Output extends AsyncIterable<readonly (infer Chunk)[]> ? Chunk : never;

/** A process that repeats its stdin on stdout, and says bye on stderr at the end of it. */
class EchoSession implements StdioSession {
  readonly tty: boolean;
  readonly #queue: OutputChunk[] = [];
  #wake: () => void = () => {};
  #ended = false;
  disposed = false;

  constructor(tty: boolean, signal: AbortSignal) {
    this.tty = tty;
    signal.addEventListener('abort', () => this.#end());
  }

  get output(): Output {
    return this.#read();
  }

  write(data: Uint8Array): Promise<void> {
    this.#queue.push({ stream: 'stdout', data: Buffer.from(data) });
    this.#wake();
    return Promise.resolve();
  }

  closeStdin(): void {
    this.#queue.push({ stream: 'stderr', data: Buffer.from('bye') });
    this.#end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.disposed = true;
    return Promise.resolve();
  }

  #end(): void {
    this.#ended = true;
    this.#wake();
  }

  async *#read(): AsyncGenerator<readonly OutputChunk[]> {
    for (;;) {
      while (this.#queue.length > 0) yield this.#queue.splice(0);
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

interface Echo extends AsyncDisposable {
  readonly server: TestServer;
  readonly sessions: EchoSession[];
}

async function echoServer({ tty = false }: { tty?: boolean } = {}): Promise<Echo> {
  const sessions: EchoSession[] = [];
  const begin = (options: Pick<AttachOptions, 'signal'>): Promise<StdioSession> => {
    const session = new EchoSession(tty, options.signal);
    sessions.push(session);
    return Promise.resolve(session);
  };
  const request = { command: ['cat'], env: [], user: '', tty, stdin: true } as unknown as ExecRequest;
  const engine = fakeBackend({
    containers: { attach: (_ref, options) => begin(options) },
    execs: {
      inspect: (id) => ({ id, containerId: 'c', request, running: false, exitCode: undefined, pid: 0 }),
      startAttached: (_id, options) => begin(options),
    },
  });
  const server = await serve([...containerStreamRoutes, ...execRoutes], engine);
  return { server, sessions, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

const attachPath = '/v1.51/containers/c/attach?stream=1&stdin=1&stdout=1&stderr=1';
const upgrade = 'Connection: Upgrade\r\nUpgrade: tcp\r\n';
const hello = `${encodeFrame('stdout', Buffer.from('hello\n')).toString('latin1')}`;
const bye = `${encodeFrame('stderr', Buffer.from('bye')).toString('latin1')}`;

/** Sends hello and the end of stdin; returns the head of the answer and everything behind it. */
async function converse(socket: Socket): Promise<{ head: string; body: string }> {
  const begin = await readUntil(socket, (received) => received.includes('\r\n\r\n'));
  socket.end('hello\n');
  const rest = await readUntil(socket, () => false);
  const headEnd = begin.indexOf('\r\n\r\n');
  return { head: begin.slice(0, headEnd), body: begin.slice(headEnd + 4) + rest };
}

test('attach: with an upgrade, framed both ways, half-closed stdin and a clean end', async () => {
  await using echo = await echoServer();
  const socket = await echo.server.raw(
    `POST ${attachPath} HTTP/1.1\r\nHost: d\r\n${upgrade}Content-Length: 0\r\n\r\n`,
  );
  const { head, body } = await converse(socket);
  assert.match(
    head,
    /^HTTP\/1\.1 101 UPGRADED\r\nContent-Type: application\/vnd\.docker\.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp/,
  );
  assert.match(head, /api-version: 1\.51/i);
  assert.equal(body, hello + bye);
  assert.equal(echo.sessions[0]?.disposed, true);
});

test('attach: without an upgrade the connection is taken over all the same', async () => {
  await using echo = await echoServer();
  const socket = await echo.server.raw(`POST ${attachPath} HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n`);
  const { head, body } = await converse(socket);
  assert.match(head, /^HTTP\/1\.1 200 OK\r\nContent-Type: application\/vnd\.docker\.raw-stream/);
  assert.equal(body, hello + bye);
});

test('attach: on a connection that has served other requests before', async () => {
  await using echo = await echoServer();
  const socket = await echo.server.raw('GET /nope HTTP/1.1\r\nHost: d\r\n\r\n');
  await readUntil(socket, (received) => received.endsWith('}\n'));
  socket.write(`POST ${attachPath} HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n`);
  assert.equal((await converse(socket)).body, hello + bye);
});

test('attach: a terminal is raw, and so is everything before 1.42 named', async () => {
  await using echo = await echoServer({ tty: true });
  const socket = await echo.server.raw(`POST ${attachPath} HTTP/1.1\r\nHost: d\r\n${upgrade}\r\n`);
  const { head, body } = await converse(socket);
  assert.match(head, /raw-stream/);
  assert.equal(body, 'hello\nbye');
  await using old = await echoServer();
  const path = attachPath.replace('1.51', '1.41');
  const oldAnswer = await converse(
    await old.server.raw(`POST ${path} HTTP/1.1\r\nHost: d\r\n${upgrade}\r\n`),
  );
  assert.match(oldAnswer.head, /raw-stream/);
  assert.equal(oldAnswer.body, hello + bye);
});

test('attach: input that comes with the request is not lost', async () => {
  await using echo = await echoServer();
  const socket = await echo.server.raw(`POST ${attachPath} HTTP/1.1\r\nHost: d\r\n${upgrade}\r\nearly `);
  const early = encodeFrame('stdout', Buffer.from('early ')).toString('latin1');
  assert.equal((await converse(socket)).body, early + hello + bye);
});

test('attach: a client that vanishes ends its session', async () => {
  await using echo = await echoServer();
  const socket = await echo.server.raw(`POST ${attachPath} HTTP/1.1\r\nHost: d\r\n${upgrade}\r\n`);
  await once(socket, 'data');
  socket.destroy();
  while (echo.sessions[0]?.disposed !== true) await new Promise((done) => setTimeout(done, 5));
});

test('attach: wrong detach keys are refused over HTTP in spite of the upgrade', async () => {
  await using echo = await echoServer();
  const socket = await echo.server.raw(
    `POST ${attachPath}&detachKeys=foo HTTP/1.1\r\nHost: d\r\n${upgrade}\r\n`,
  );
  const answer = await readUntil(socket, () => false);
  assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
  assert.match(answer, /\{"message":"Invalid detach keys \(foo\) provided"\}\n$/);
});

test('exec start: the body is read before the connection is taken, whole or in pieces', async () => {
  const body = '{"Detach":false,"Tty":false}';
  const head = `POST /v1.51/exec/e/start HTTP/1.1\r\nHost: d\r\n${upgrade}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  for (const pieces of [[head + body], [head, body], [head + body.slice(0, 5), body.slice(5)]]) {
    await using echo = await echoServer();
    const [first = '', ...rest] = pieces;
    const socket = await echo.server.raw(first);
    for (const piece of rest) {
      await new Promise((done) => setTimeout(done, 30));
      socket.write(piece);
    }
    const { head: answered, body: received } = await converse(socket);
    assert.match(answered, /^HTTP\/1\.1 101 UPGRADED/);
    assert.equal(received, hello + bye);
  }
});

test('attach/ws: data, a ping and a close', async () => {
  await using echo = await echoServer();
  const socket = await echo.server.raw(
    `GET ${attachPath.replace('attach', 'attach/ws')} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  );
  const head = await readUntil(socket, (received) => received.includes('\r\n\r\n'));
  // The example of RFC 6455, section 1.3.
  assert.match(head, /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
  socket.write(clientFrame(9, 'p'));
  assert.equal(await readUntil(socket, (received) => received.length >= 3), '\x8a\x01p');
  socket.write(clientFrame(1, 'hello'));
  assert.equal(await readUntil(socket, (received) => received.length >= 7), '\x82\x05hello');
  socket.write(clientFrame(8, '\x03\xe8'));
  assert.equal(await readUntil(socket, () => false), '\x82\x03bye\x88\x02\x03\xe8');
});

function clientFrame(opcode: number, data: string): Buffer {
  const mask = Buffer.from([1, 2, 3, 4]);
  const masked = Buffer.from(data, 'latin1').map((byte, i) => byte ^ (mask[i % 4] ?? 0));
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | masked.length]), mask, masked]);
}

test('attach/ws: a request that is no handshake is refused', async () => {
  await using echo = await echoServer();
  const answer = await echo.server.ask('GET', attachPath.replace('attach', 'attach/ws'));
  assert.deepEqual([answer.status, answer.body], [400, '{"message":"not websocket protocol"}\n']);
});
