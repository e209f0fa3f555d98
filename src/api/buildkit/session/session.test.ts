import assert from 'node:assert/strict';
import { createHmac, createPrivateKey, createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { silentLogger } from '#/base/log.ts';
import { digestOf } from '#/oci/digest.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { bidiStream, type GrpcHandler, GrpcServer, serverStream, unary } from '../grpc/server.ts';
import { GrpcError, grpcCodes } from '../grpc/status.ts';
import { Auth } from '../messages/auth_pb.ts';
import { Content, WriteAction } from '../messages/content_pb.ts';
import { Secrets } from '../messages/secrets_pb.ts';
import { SSH } from '../messages/ssh_pb.ts';
import { sessionHead } from './head.ts';
import { lentBy } from './lent.ts';
import { ClientSession } from './session.ts';
import { Sessions } from './sessions.ts';

const never = new AbortController().signal;

/** A session whose client answers these methods. */
async function sessionWith(
  handlers: readonly GrpcHandler[],
): Promise<{ session: ClientSession } & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(scratchDir());
  const listener = createServer().listen(dir.join('s'));
  stack.defer(() => void listener.close());
  const near = connect(dir.join('s'));
  const [far] = (await once(listener, 'connection')) as [Socket];
  const abort = new AbortController();
  const served = new GrpcServer(handlers, silentLogger()).serve(far, { signal: abort.signal });
  stack.defer(async () => {
    abort.abort();
    await served;
  });
  const methods = handlers.map(({ path }) => path);
  const head = sessionHead({
    'x-docker-expose-session-uuid': ['abc'],
    'x-docker-expose-session-grpc-method': methods,
  });
  const owned = stack.move();
  return { session: new ClientSession(head, near), [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test('lentBy: credentials, secrets and agents of the client', async () => {
  const asked: string[] = [];
  await using client = await sessionWith([
    unary(Auth.method.credentials, ({ host }) => {
      asked.push(host);
      if (host === 'token.example') return Promise.resolve({ secret: 'identity' });
      if (host === 'none.example') return Promise.resolve({});
      return Promise.resolve({ username: 'me', secret: 'pass' });
    }),
    unary(Secrets.method.getSecret, ({ id }) => {
      if (id === 'known') return Promise.resolve({ data: Buffer.from('value') });
      throw new GrpcError(id === 'broken' ? grpcCodes.internal : grpcCodes.notFound, `no ${id}`);
    }),
    unary(SSH.method.checkAgent, ({ id }) => {
      if (id !== 'default') throw new GrpcError(grpcCodes.unknown, `unset ssh forward key ${id}`);
      return Promise.resolve({});
    }),
    bidiStream(SSH.method.forwardAgent, async function* (incoming, call) {
      yield { data: Buffer.from(`${call.metadata('buildkit.ssh.id')}:`) };
      for await (const { data } of incoming)
        yield { data: Buffer.from(String(Buffer.from(data)).toUpperCase()) };
    }),
  ]);
  const { registryAuth, secrets, ssh } = lentBy(client.session);
  const options = { signal: never };
  assert.deepEqual(await registryAuth.credentials('docker.io', options), {
    kind: 'basic',
    username: 'me',
    password: 'pass',
  });
  assert.deepEqual(await registryAuth.credentials('token.example', options), {
    kind: 'identityToken',
    token: 'identity',
  });
  assert.deepEqual(await registryAuth.credentials('none.example', options), { kind: 'anonymous' });
  assert.deepEqual(asked, ['registry-1.docker.io', 'token.example', 'none.example']);
  assert.equal(String(await secrets.get('known', options)), 'value');
  assert.equal(await secrets.get('unknown', options), undefined);
  await assert.rejects(secrets.get('broken', options), /no broken/);
  assert.equal(await ssh.has('default', options), true);
  assert.equal(await ssh.has('other', options), false);
  const agent = ssh.connect('default');
  agent.write('hello ');
  agent.end('agent');
  assert.equal(await text(agent), 'default:HELLO AGENT');
});

test('lentBy: a client that can get tokens itself keeps its credentials, as long as that will do', async () => {
  const asked: string[] = [];
  await using client = await sessionWith([
    unary(Auth.method.credentials, ({ host }) => {
      asked.push(`credentials for ${host}`);
      return Promise.resolve({ username: 'me', secret: 'pass' });
    }),
    unary(Auth.method.getTokenAuthority, ({ host, salt }) => {
      if (host === 'off.example') throw new GrpcError(grpcCodes.unavailable, 'client side tokens disabled');
      const seed = host === 'none.example' ? '' : 'something of the client';
      const key = createHmac('sha256', salt).update(seed).digest();
      return Promise.resolve({ publicKey: publicKeyOf(key) });
    }),
    unary(Auth.method.fetchToken, ({ host, realm, service, scopes }) => {
      asked.push(`token for ${host} at ${realm} of ${service} for ${scopes.join()}`);
      if (realm.includes('unknown')) throw new GrpcError(grpcCodes.unknown, 'cannot reach it');
      return Promise.resolve({ token: 'abc', expiresIn: 300n });
    }),
  ]);
  const { registryAuth } = lentBy(client.session);
  const options = { signal: never };
  const basic = { kind: 'basic', username: 'me', password: 'pass' };
  assert.deepEqual(await registryAuth.credentials('none.example', options), { kind: 'anonymous' });
  assert.deepEqual(await registryAuth.credentials('off.example', options), basic);
  const some = await registryAuth.credentials('docker.io', options);
  assert.ok(some.kind === 'delegated');
  const { delegate } = some;
  const request = { service: 's', scopes: ['repository:a:pull'] };
  const realm = new URL('https://auth.docker.io/token');
  assert.deepEqual(await delegate.token({ ...request, realm }, options), { token: 'abc', life: 300 });
  const unknown = new URL('https://unknown.docker.io/token');
  assert.equal(await delegate.token({ ...request, realm: unknown }, options), undefined);
  assert.deepEqual(await delegate.credentials(options), basic);
  assert.deepEqual(asked, [
    'credentials for off.example',
    'token for registry-1.docker.io at https://auth.docker.io/token of s for repository:a:pull',
    'token for registry-1.docker.io at https://unknown.docker.io/token of s for repository:a:pull',
    'credentials for registry-1.docker.io',
  ]);
});

/** The public key of a private one of Ed25519. */
function publicKeyOf(seed: Buffer): Buffer {
  const key = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const spki = createPublicKey(createPrivateKey({ key, format: 'der', type: 'pkcs8' }));
  return spki.export({ format: 'der', type: 'spki' }).subarray(-32);
}

test('lentBy: a client that lends nothing, and no client', async () => {
  await using client = await sessionWith([]);
  for (const session of [client.session, undefined]) {
    const { registryAuth, secrets, ssh } = lentBy(session);
    assert.deepEqual(await registryAuth.credentials('x', { signal: never }), { kind: 'anonymous' });
    assert.equal(await secrets.get('x', { signal: never }), undefined);
    assert.equal(await ssh.has('default', { signal: never }), false);
  }
});

test('lentBy: folders of the client as stores of blobs', async () => {
  const blobs = new Map<string, Buffer>();
  const stores: (string | undefined)[] = [];
  await using client = await sessionWith([
    unary(Content.method.info, ({ digest }, call) => {
      stores.push(call.metadata('buildkit-attachable-store-id'));
      const blob = blobs.get(digest);
      if (blob === undefined) throw new GrpcError(grpcCodes.notFound, 'no such blob');
      return Promise.resolve({ info: { digest, size: BigInt(blob.length) } });
    }),
    serverStream(Content.method.read, async function* ({ digest }) {
      yield { data: blobs.get(digest) ?? Buffer.alloc(0) };
    }),
    bidiStream(Content.method.write, async function* (requests) {
      const pieces: Uint8Array[] = [];
      for await (const { action, data, expected } of requests) {
        if (blobs.has(expected)) throw new GrpcError(grpcCodes.alreadyExists, 'it is there');
        pieces.push(data);
        if (action === WriteAction.COMMIT) blobs.set(expected, Buffer.concat(pieces));
        yield {};
      }
    }),
  ]);
  const { clientContent } = lentBy(client.session);
  const folder = clientContent?.({ type: 'local', attributes: new Map([['dest', '/there']]) });
  assert.ok(folder !== undefined);
  const bytes = Buffer.alloc(2_500_000, 'b');
  const descriptor = { mediaType: 'x/y', digest: digestOf(bytes), size: bytes.length };
  assert.equal(await folder.size(descriptor.digest, { signal: never }), undefined);
  for (const _time of [1, 2]) await folder.write(descriptor, [bytes], { signal: never });
  assert.equal(await folder.size(descriptor.digest, { signal: never }), bytes.length);
  const read = await Array.fromAsync(folder.read(descriptor, { signal: never }));
  assert.ok(Buffer.concat(read).equals(bytes));
  assert.deepEqual(new Set(stores), new Set(['local:/there']));
  assert.equal(clientContent?.({ type: 'registry', attributes: new Map() }), undefined);
});

test('sessionHead: refuses ids that are none', () => {
  for (const id of ['', 'a b', '../x', 'x'.repeat(200)]) {
    assert.throws(() => sessionHead({ 'x-docker-expose-session-uuid': [id] }), /is not an id/);
  }
});

test('Sessions: waits for a session that comes later, and knows each id once', async () => {
  await using client = await sessionWith([]);
  const sessions = new Sessions();
  const waiting = sessions.get('prefix:abc', { signal: never });
  {
    using _known = sessions.add(client.session);
    assert.equal(await waiting, client.session);
    assert.throws(() => sessions.add(client.session), /already exists/);
  }
  const abort = new AbortController();
  const given = sessions.get('abc', { signal: abort.signal });
  abort.abort(new Error('enough'));
  await assert.rejects(given, /enough/);
});
