import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { notImplemented } from '#/base/errors.ts';
import { silentLogger } from '#/base/log.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { Content } from '../messages/content_pb.ts';
import { Health } from '../messages/health_pb.ts';
import { GrpcClient } from './client.ts';
import { frame } from './framing.ts';
import { type GrpcHandler, GrpcServer, methodPath, serverStream, unary } from './server.ts';
import { GrpcError, grpcCodes } from './status.ts';

const never = new AbortController().signal;

/** Both ends of a connection. */
async function sockets(): Promise<[Socket, Socket] & AsyncDisposable> {
  const dir = scratchDir();
  const server = createServer({ allowHalfOpen: true });
  server.listen(join(dir.path, 's'));
  await once(server, 'listening');
  const near = connect(join(dir.path, 's'));
  const [far] = (await once(server, 'connection')) as [Socket];
  return Object.assign([near, far] as [Socket, Socket], {
    [Symbol.asyncDispose]: async () => {
      near.destroy();
      far.destroy();
      server.close();
      dir[Symbol.dispose]();
      await Promise.resolve();
    },
  });
}

/** A client and a server on one connection. */
async function pair(
  handlers: readonly GrpcHandler[],
): Promise<{ client: GrpcClient; served: Promise<void> } & AsyncDisposable> {
  const ends = await sockets();
  const abort = new AbortController();
  const served = new GrpcServer(handlers, silentLogger()).serve(ends[1], { signal: abort.signal });
  return {
    client: new GrpcClient(ends[0]),
    served,
    [Symbol.asyncDispose]: async () => {
      abort.abort();
      await served;
      await ends[Symbol.asyncDispose]();
    },
  };
}

const echo = unary(Health.method.check, ({ service }) =>
  Promise.resolve({ status: service === 'up' ? 1 : 0 }),
);

test('GrpcServer: answers what GrpcClient asks', async () => {
  await using both = await pair([echo]);
  const ask = (service: string) => both.client.unary(Health.method.check, { service }, { signal: never });
  assert.equal((await ask('up')).status, 1);
  const many = await Promise.all(
    Array.from({ length: 50 }, (_item, index) => ask(index % 2 === 0 ? 'up' : 'down')),
  );
  assert.equal(many.filter(({ status }) => status === 1).length, 25);
});

test('GrpcServer: failures carry code, message and details', async () => {
  const details = [{ type: 'example/Detail+json', value: Buffer.from('{"a":1}') }];
  await using both = await pair([
    unary(Health.method.check, ({ service }) => {
      if (service === 'typed') throw new GrpcError(grpcCodes.notFound, 'no 100% “luck”\n', { details });
      if (service === 'known') throw notImplemented('not yet');
      throw new TypeError('a bug');
    }),
  ]);
  const failure = async (service: string): Promise<GrpcError> => {
    const asked = both.client.unary(Health.method.check, { service }, { signal: never });
    return asked.then(
      () => assert.fail(),
      (error: unknown) => error as GrpcError,
    );
  };
  const typed = await failure('typed');
  assert.deepEqual(
    [typed.code, typed.message, typed.details],
    [grpcCodes.notFound, 'no 100% “luck”\n', details],
  );
  assert.equal((await failure('known')).code, grpcCodes.unimplemented);
  assert.equal((await failure('bug')).message, 'a bug');
});

test('GrpcServer: refuses methods that it does not have', async () => {
  await using both = await pair([]);
  const asked = both.client.unary(Health.method.check, {}, { signal: never });
  await assert.rejects(asked, { code: grpcCodes.unimplemented, message: /unknown method/ });
});

test('GrpcServer: a stream is as fast as its reader, and ends when the client leaves', async () => {
  let sent = 0;
  const { promise: left, resolve: leave } = Promise.withResolvers<void>();
  await using both = await pair([
    serverStream(Content.method.read, async function* (_request, { signal }) {
      signal.addEventListener('abort', () => leave());
      for (; sent < 10_000 && !signal.aborted; sent++) yield { data: Buffer.alloc(64 * 1024) };
    }),
  ]);
  const method = { ...Content.method.read, path: methodPath(Content.method.read) };
  {
    using stream = both.client.stream(method, { signal: never });
    await stream.send({ digest: 'x' });
    stream.end();
    for await (const { data } of stream) {
      assert.equal(data.length, 64 * 1024);
      break;
    }
  }
  await left;
  assert.ok(sent < 1000, `sent ${sent} messages to somebody who read one`);
});

test('GrpcClient: a call ends with its signal, and with the connection', async () => {
  const entered = Promise.withResolvers<void>();
  const handler = unary(Health.method.check, async (_request, { signal }) => {
    entered.resolve();
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    return {};
  });
  await using both = await pair([handler]);
  const abort = new AbortController();
  const asked = both.client.unary(Health.method.check, {}, { signal: abort.signal });
  await entered.promise;
  abort.abort(new Error('enough'));
  await assert.rejects(asked, /enough/);
  const second = both.client.unary(Health.method.check, {}, { signal: never });
  const closing = new AbortController();
  closing.abort();
  await both.client.closed({ signal: closing.signal });
  await assert.rejects(second, GrpcError);
  await assert.rejects(both.client.unary(Health.method.check, {}, { signal: never }), /closed/);
  await both.served;
});

test('GrpcServer: refuses a call with no message, with two, and with something else', async () => {
  await using ends = await sockets();
  const abort = new AbortController();
  const served = new GrpcServer([echo], silentLogger()).serve(ends[1], { signal: abort.signal });
  const session = connectHttp2('http://localhost', { createConnection: () => ends[0] });
  const status = async (...messages: Uint8Array[]): Promise<string> => {
    const stream = session.request({ ':method': 'POST', ':path': methodPath(Health.method.check) });
    for (const message of messages) stream.write(message);
    stream.end();
    const [headers] = (await once(stream, 'response')) as [Record<string, string>];
    stream.resume();
    return `${headers['grpc-status']} ${headers['grpc-message']}`;
  };
  assert.equal(await status(), '3 the call has no message');
  assert.equal(
    await status(frame(Buffer.alloc(0)), frame(Buffer.alloc(0))),
    '12 the method takes one message',
  );
  assert.match(await status(frame(Buffer.from('garbage'))), /^3 the message is no grpc.health.v1/);
  assert.match(await status(Buffer.from([0, 0, 0])), /^13 the stream ended within a message/);
  session.destroy();
  await served;
});

test('GrpcServer: survives bytes that are no HTTP/2', async () => {
  await using ends = await sockets();
  const served = new GrpcServer([echo], silentLogger()).serve(ends[1], { signal: never });
  ends[0].end('GET / HTTP/1.1\r\n\r\n');
  ends[0].resume();
  await served;
});
