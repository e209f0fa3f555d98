import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { after, afterEach, before, test } from 'node:test';
import { type Authority, makeAuthority } from '#tests/certificates.ts';
import { TestDaemon } from '#tests/daemon.ts';
import { basicAuth, type FaultyRegistry, openFaultyRegistry } from '#tests/faulty-registry.ts';
import { dockerArchive, tarOf } from '#tests/images.ts';
import { ownAddress } from '#tests/own-address.ts';
import { type ScratchDir, scratchDir } from '#tests/scratch-dir.ts';
import { openTokenService, type TokenService } from '#tests/token-service.ts';

const secret = 'hunter2-of-joe';
const credentials = { username: 'joe', password: secret };
/** In whatever form they could turn up. */
const secrets = new RegExp(
  [
    secret,
    Buffer.from(`joe:${secret}`).toString('base64').slice(0, 20),
    'token-\\d+-of',
    'secret-state',
  ].join('|'),
);

let scratch: ScratchDir;
let authority: Authority;
let daemon: TestDaemon;
let service: TokenService;
/** Where a registry sends clients, who must not bring their credentials. */
let elsewhere: FaultyRegistry;

before(async () => {
  scratch = scratchDir();
  authority = makeAuthority(scratch);
  service = await openTokenService({ users: { joe: secret } });
  elsewhere = await openFaultyRegistry();
  daemon = await TestDaemon.start([
    '--log-level=debug',
    '--max-download-attempts=2',
    `--registry-certs=${scratch.path}`,
  ]);
});

afterEach(() => {
  elsewhere.faults.clear();
  service.server.faults.clear();
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
  for (const one of [elsewhere, service]) await one[Symbol.asyncDispose]();
  scratch[Symbol.dispose]();
});

/** A request of somebody who has logged in; all that was answered. */
function ask(path: string): Promise<string> {
  const header = Buffer.from(JSON.stringify(credentials)).toString('base64url');
  return new Promise((resolve, reject) => {
    const call = request(
      {
        socketPath: daemon.socket,
        method: 'POST',
        path,
        agent: false,
        headers: { 'X-Registry-Auth': header },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk)).once('error', reject);
        response.once('end', () => resolve(Buffer.concat(chunks).toString()));
      },
    );
    call.once('error', reject).end();
  });
}

const pull = (name: string): Promise<string> => ask(`/images/create?fromImage=${encodeURIComponent(name)}`);

async function removed(name: string): Promise<void> {
  assert.equal((await daemon.ask('DELETE', `/images/${name}`)).status, 200);
}

async function image(registry: FaultyRegistry): Promise<string> {
  const { layers } = registry.content.addImage('app', [await tarOf({ a: registry.host })], { tag: '1' });
  return layers[0]?.digest ?? '';
}

test('credentials: a realm elsewhere does not get them, one that is configured or the registry itself does', async () => {
  const hijacked = service.realm.replace('127.0.0.1', 'tokens.example');
  await using registry = await openFaultyRegistry({ guard: service.guard({ realm: hijacked }) });
  await image(registry);
  const before = service.server.requests.length;
  assert.match(
    await pull(`${registry.host}/app:1`),
    /that is another host, so the credentials were not sent/,
  );
  assert.equal(service.server.requests.length, before);
  await using honest = await openFaultyRegistry({ guard: service.guard() });
  await image(honest);
  assert.match(await pull(`${honest.host}/app:1`), /Downloaded newer image/);
  await removed(`${honest.host}/app:1`);
});

test('credentials: a registry with TLS cannot have them sent without', async () => {
  const tls = authority.issue(`IP:${ownAddress}`);
  const plain = service.realm.replace('127.0.0.1', ownAddress);
  await using registry = await openFaultyRegistry({
    listen: ownAddress,
    tls,
    guard: service.guard({ realm: plain }),
  });
  await image(registry);
  mkdirSync(scratch.join(registry.host));
  writeFileSync(scratch.join(registry.host, 'ca.crt'), authority.cert);
  const before = service.server.requests.length;
  assert.match(
    await pull(`${registry.host}/app:1`),
    /does without TLS, unlike the registry; nothing was sent there/,
  );
  assert.equal(service.server.requests.length, before);
  registry.faults.add({
    path: '/manifests/',
    fault: { kind: 'answer', answer: { status: 307, headers: { location: `${elsewhere.url}/x` } } },
  });
  assert.match(await pull(`${registry.host}/app:1`), /does without TLS/);
  assert.equal(elsewhere.requests.length, 0);
});

test('credentials: they stay with the registry, whatever it redirects to', async () => {
  await using registry = await openFaultyRegistry({ guard: basicAuth('joe', secret) });
  const digest = await image(registry);
  elsewhere.content.addBlob('app', registry.content.repository('app').blobs.get(digest) ?? Buffer.alloc(0));
  const location = `${elsewhere.url}/v2/app/blobs/${digest}?signature=secret-state`;
  registry.faults.add({
    path: digest,
    fault: { kind: 'answer', answer: { status: 307, headers: { location } } },
  });
  assert.match(await pull(`${registry.host}/app:1`), /Downloaded newer image/);
  await removed(`${registry.host}/app:1`);
  assert.ok(elsewhere.requests.length > 0);
  for (const { headers } of elsewhere.requests) assert.equal(headers['authorization'], undefined);
  // A failure there is told without what signs the address.
  elsewhere.faults.add({ fault: { kind: 'answer', answer: { status: 500 } } });
  assert.match(await pull(`${registry.host}/app:1`), /500 Internal Server Error/);
});

test('credentials: uploads go where the registry says, without them if that is elsewhere', async () => {
  await using registry = await openFaultyRegistry({ guard: basicAuth('joe', secret) });
  const name = `${registry.host}/pushed`;
  const { status } = await daemon.ask(
    'POST',
    '/images/load',
    await dockerArchive([`${name}:1`], [await tarOf({ a: 'x' })]),
  );
  assert.equal(status, 200);
  const before = elsewhere.requests.length;
  const location = `${elsewhere.url}/v2/app/blobs/uploads/upload-1?_state=secret-state`;
  registry.faults.add({ method: 'POST', path: '/uploads/', fault: { kind: 'headers', set: { location } } });
  await ask(`/images/${name}/push?tag=1`);
  assert.ok(elsewhere.requests.length > before);
  for (const { headers } of elsewhere.requests) assert.equal(headers['authorization'], undefined);
  registry.faults.clear();
  assert.match(await ask(`/images/${name}/push?tag=1`), /digest: sha256:/);
  await removed(`${name}:1`);
});

test('credentials: neither the log nor an answer nor an event has told them', async () => {
  const wrong = await openFaultyRegistry({ guard: basicAuth('joe', 'other') });
  await using _open = wrong;
  await image(wrong);
  const answers = [await pull(`${wrong.host}/app:1`), await ask(`/images/${wrong.host}/none/push?tag=1`)];
  const events = await daemon.ask('GET', `/events?since=0&until=${Math.trunc(Date.now() / 1000)}`);
  for (const text of [...answers, events.body.toString(), daemon.log]) assert.doesNotMatch(text, secrets);
  assert.ok(daemon.log.length > 1000);
});
