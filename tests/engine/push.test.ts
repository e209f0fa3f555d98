import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import { after, before, test } from 'node:test';
import type { ImageInspect } from '#/wire/images.ts';
import { TestDaemon } from '#tests/daemon.ts';
import { dockerArchive, tarOf } from '#tests/images.ts';
import { leakCheck } from '#tests/leak-check.ts';
import { pullError } from '#tests/pull-client.ts';
import { startRegistry, type TestRegistry } from '#tests/registry-server.ts';
import { valueOf } from '#tests/test-containers.ts';

let daemon: TestDaemon;
let registry: TestRegistry;

before(async () => {
  daemon = await TestDaemon.start(['--max-download-attempts=2']);
  registry = await startRegistry();
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

/** Loads an image of layers that do not compress, under a name. */
async function load(name: string): Promise<string> {
  const layers = [await tarOf({ a: randomBytes(1 << 20) }), await tarOf({ b: randomBytes(1 << 20) })];
  const { status, body } = await daemon.ask('POST', '/images/load', await dockerArchive([name], layers));
  assert.equal(status, 200, body.toString());
  return (valueOf(await daemon.ask('GET', `/images/${name}/json`), 200) as ImageInspect).Id;
}

/** The last object of the stream. */
async function push(name: string, tag: string): Promise<{ error?: string; aux?: { Digest: string } }> {
  const { status, body } = await daemon.ask('POST', `/images/${name}/push?tag=${tag}`);
  assert.equal(status, 200, body.toString());
  return JSON.parse(body.toString().trimEnd().split('\r\n').at(-1) ?? '') as { error?: string };
}

test('push: what was loaded can be pulled elsewhere under the digest that the push told', async () => {
  await leakCheck(daemon, async () => {
    const name = `${registry.host}/team/loaded`;
    const id = await load(`${name}:1`);
    const { aux } = await push(name, '1');
    assert.ok(aux);
    const { RepoDigests } = valueOf(await daemon.ask('GET', `/images/${name}:1/json`), 200) as ImageInspect;
    assert.deepEqual(RepoDigests, [`${name}@${aux.Digest}`]);
    assert.equal((await daemon.ask('DELETE', `/images/${name}:1`)).status, 200);
    assert.equal(await pullError(daemon, `${name}@${aux.Digest}`), undefined);
    const again = valueOf(await daemon.ask('GET', `/images/${name}@${aux.Digest}/json`), 200) as ImageInspect;
    assert.equal(again.Id, id);
    assert.equal((await daemon.ask('DELETE', `/images/${id}`)).status, 200);
  });
});

test('push: a client that hangs up ends it, and the daemon keeps nothing of it', async () => {
  await leakCheck(daemon, async () => {
    // A registry that takes connections and never answers.
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const address = silent.address();
    assert.ok(typeof address === 'object' && address !== null);
    const name = `127.0.0.1:${address.port}/never`;
    const id = await load(`${name}:1`);
    const call = request({ socketPath: daemon.socket, method: 'POST', path: `/images/${name}/push?tag=1` });
    call.on('error', () => {});
    call.end();
    const asked = once(silent, 'request');
    await asked;
    call.destroy();
    silent.closeAllConnections();
    silent.close();
    assert.equal((await daemon.ask('DELETE', `/images/${id}`)).status, 200);
  });
});

test('push: an image that is removed meanwhile still arrives whole', async () => {
  await leakCheck(daemon, async () => {
    // Lets the answer to the first request wait until the image is gone.
    const { promise: removed, resolve: go } = Promise.withResolvers<void>();
    const [host, port] = registry.host.split(':');
    const slow = createTcpServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    slow.on('connection', (socket) => {
      void removed.then(() => {
        const upstream = connect(Number(port), host ?? '');
        socket.pipe(upstream).pipe(socket);
        socket.on('error', () => upstream.destroy());
        upstream.on('error', () => socket.destroy());
      });
    });
    await once(slow, 'listening');
    const address = slow.address();
    assert.ok(typeof address === 'object' && address !== null);
    const name = `127.0.0.1:${address.port}/gone`;
    const id = await load(`${name}:1`);
    const pushing = push(name, '1');
    await once(slow, 'connection');
    assert.equal((await daemon.ask('DELETE', `/images/${id}`)).status, 200);
    go();
    assert.ok((await pushing).aux);
    assert.equal(await pullError(daemon, `${registry.host}/gone:1`), undefined);
    assert.equal((await daemon.ask('DELETE', `/images/${registry.host}/gone:1`)).status, 200);
    slow.close();
  });
});
