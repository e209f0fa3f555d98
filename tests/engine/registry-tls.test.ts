import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import type { SystemInfo } from '#/wire/system.ts';
import { type Authority, makeAuthority } from '#tests/certificates.ts';
import { TestDaemon } from '#tests/daemon.ts';
import {
  basicAuth,
  type FaultyRegistry,
  type FaultyRegistryOptions,
  openFaultyRegistry,
} from '#tests/faulty-registry.ts';
import { tarOf } from '#tests/images.ts';
// What may be done without on this machine's own addresses is needed on this one.
import { ownAddress as address } from '#tests/own-address.ts';
import { pullError } from '#tests/pull-client.ts';
import { type ScratchDir, scratchDir } from '#tests/scratch-dir.ts';
import { valueOf } from '#tests/test-containers.ts';

let scratch: ScratchDir;
let authority: Authority;
let daemon: TestDaemon;

before(async () => {
  scratch = scratchDir();
  authority = makeAuthority(scratch);
  daemon = await TestDaemon.start([
    '--max-download-attempts=2',
    `--registry-certs=${scratch.join('certs.d')}`,
  ]);
});

afterEach(() => rmSync(scratch.join('certs.d'), { recursive: true, force: true }));

after(async () => {
  await daemon[Symbol.asyncDispose]();
  scratch[Symbol.dispose]();
});

/** A registry with an image `app:1`. */
async function open(options: FaultyRegistryOptions): Promise<FaultyRegistry> {
  const registry = await openFaultyRegistry({ listen: address, ...options });
  registry.content.addImage('app', [await tarOf({ a: registry.host })], { tag: '1' });
  return registry;
}

/** Puts certificates into the folder of a host. */
function trust(host: string, files: Readonly<Record<string, string>>): void {
  const folder = scratch.join('certs.d', host);
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
}

/** Starts the daemon anew with these settings. */
async function configure(settings: object): Promise<void> {
  await daemon.down();
  writeFileSync(daemon.configFile, JSON.stringify(settings));
  await daemon.up();
}

/** Pulls the image and removes it. */
async function pulls(host: string): Promise<void> {
  assert.equal(await pullError(daemon, `${host}/app:1`), undefined);
  assert.equal((await daemon.ask('DELETE', `/images/${host}/app:1`)).status, 200);
}

/** The last words of a push. */
async function pushError(name: string): Promise<string | undefined> {
  const { status, body } = await daemon.ask('POST', `/images/${name}/push`);
  assert.equal(status, 200, body.toString());
  return (JSON.parse(body.toString().trimEnd().split('\r\n').at(-1) ?? '') as { error?: string }).error;
}

test('certs.d: a registry of an own authority is refused, until its certificate is there and the daemon reloads', async () => {
  await using registry = await open({
    tls: authority.issue(`IP:${address}`),
    guard: basicAuth('joe', 'hunter2'),
  });
  assert.match(
    (await pullError(daemon, `${registry.host}/app:1`)) ?? '',
    /^(?:Get .*: )?.*tls: failed to verify certificate: x509: certificate signed by unknown authority$/,
  );
  const login = (): Promise<{ status: number; value: unknown }> =>
    daemon.json('POST', '/auth', { username: 'joe', password: 'hunter2', serveraddress: registry.host });
  assert.match(JSON.stringify(await login()), /unknown authority/);
  assert.equal(registry.requests.length, 0);
  trust(registry.host, { 'ca.crt': authority.cert });
  await configure({});
  assert.deepEqual(await login(), { status: 200, value: { IdentityToken: '', Status: 'Login Succeeded' } });
});

test('certs.d: pulls and pushes go over TLS, with our certificate where a registry asks for one', async () => {
  const tls = {
    ...authority.issue(`IP:${address}`),
    ca: authority.cert,
    requestCert: true,
    rejectUnauthorized: true,
  };
  await using registry = await open({ tls });
  trust(registry.host, { 'ca.crt': authority.cert });
  await configure({});
  assert.match(
    (await pullError(daemon, `${registry.host}/app:1`)) ?? '',
    /certificate required|EOF|connection reset/,
  );
  const { cert, key } = authority.issue('DNS:someone');
  trust(registry.host, { 'someone.cert': cert });
  await configure({});
  assert.match(
    (await pullError(daemon, `${registry.host}/app:1`)) ?? '',
    /missing someone\.key for someone\.cert in/,
  );
  trust(registry.host, { 'someone.key': key });
  await configure({});
  assert.equal(await pullError(daemon, `${registry.host}/app:1`), undefined);
  assert.equal(
    (await daemon.ask('POST', `/images/${registry.host}/app:1/tag?repo=${registry.host}/copy&tag=2`)).status,
    201,
  );
  assert.equal(await pushError(`${registry.host}/copy`), undefined);
  assert.equal(registry.content.repository('copy').tags.size, 1);
  assert.equal((await daemon.ask('GET', `/distribution/${registry.host}/copy:2/json`)).status, 200);
  for (const name of ['app:1', 'copy:2']) {
    assert.equal((await daemon.ask('DELETE', `/images/${registry.host}/${name}`)).status, 200);
  }
});

test('insecure-registries: without TLS, or with a certificate that nobody vouches for, only where that is said', async () => {
  await using plain = await open({});
  await using unknown = await open({ tls: authority.issue('DNS:whatever.example') });
  await configure({});
  assert.match(
    (await pullError(daemon, `${plain.host}/app:1`)) ?? '',
    /server gave HTTP response to HTTPS client$/,
  );
  assert.match((await pullError(daemon, `${unknown.host}/app:1`)) ?? '', /x509: certificate/);
  assert.equal(unknown.requests.length, 0);
  for (const insecure of [[plain.host, unknown.host], [`${address}/32`], [address]]) {
    await configure({ 'insecure-registries': insecure });
    for (const { host } of [plain, unknown]) await pulls(host);
  }
  const { RegistryConfig } = valueOf(await daemon.ask('GET', '/info'), 200) as SystemInfo;
  assert.ok(JSON.stringify(RegistryConfig.IndexConfigs).includes(`"${address}"`));
});

/** A proxy that leads everything to one place, and what it was asked for. */
async function openProxy(
  target: FaultyRegistry,
): Promise<AsyncDisposable & { url: string; asked: string[] }> {
  const asked: string[] = [];
  const [host, port] = target.host.split(':');
  const note = ({ method, url, headers }: IncomingMessage): void => {
    asked.push(`${method} ${url} ${headers['proxy-authorization']}`);
  };
  const server = createServer((request, response) => {
    note(request);
    response.writeHead(502).end();
  });
  server.on('connect', (request: IncomingMessage, socket) => {
    note(request);
    const upstream = connect(Number(port), host, () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    socket.pipe(upstream).pipe(socket);
    socket.on('error', () => upstream.destroy());
    upstream.on('error', () => socket.destroy());
  });
  server.listen(0, address);
  await once(server, 'listening');
  return {
    url: `http://joe:hunter2@${address}:${(server.address() as AddressInfo).port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const credentials = `Basic ${Buffer.from('joe:hunter2').toString('base64')}`;

test('proxies: registries are reached by way of the proxy of their scheme, or directly if they are exempt', async () => {
  await using registry = await open({ tls: authority.issue(`DNS:reg.invalid,IP:${address}`) });
  await using proxy = await openProxy(registry);
  for (const host of ['reg.invalid', registry.host]) trust(host, { 'ca.crt': authority.cert });
  await configure({ proxies: { 'https-proxy': proxy.url, 'no-proxy': address } });
  await pulls('reg.invalid');
  assert.ok(proxy.asked.length > 0);
  for (const line of proxy.asked) assert.equal(line, `CONNECT reg.invalid:443 ${credentials}`);
  proxy.asked.length = 0;
  await pulls(registry.host);
  assert.equal(proxy.asked.length, 0);
  const info = await daemon.ask('GET', '/info');
  assert.match((valueOf(info, 200) as SystemInfo).HttpsProxy, /^http:\/\/xxxxx:xxxxx@/);
  assert.doesNotMatch(info.body.toString() + daemon.log, /hunter2/);

  await configure({ proxies: { 'http-proxy': proxy.url }, 'insecure-registries': ['plain.invalid'] });
  const error = (await pullError(daemon, 'plain.invalid/app:1')) ?? '';
  assert.match(error, /502 Bad Gateway/);
  assert.doesNotMatch(error, /hunter2/);
  assert.ok(
    proxy.asked.includes(`GET http://plain.invalid/v2/app/manifests/1 ${credentials}`),
    proxy.asked.join('\n'),
  );
});

test('proxies: those of the environment count where none are configured', async () => {
  await using registry = await open({ tls: authority.issue('DNS:reg.invalid') });
  await using proxy = await openProxy(registry);
  trust('reg.invalid', { 'ca.crt': authority.cert });
  process.env['HTTPS_PROXY'] = proxy.url;
  process.env['NO_PROXY'] = 'other.invalid';
  try {
    await configure({});
    await pulls('reg.invalid');
    assert.ok(proxy.asked.length > 0);
    proxy.asked.length = 0;
    assert.match((await pullError(daemon, 'other.invalid/app:1')) ?? '', /lookup other\.invalid/);
    assert.equal(proxy.asked.length, 0);
  } finally {
    delete process.env['HTTPS_PROXY'];
    delete process.env['NO_PROXY'];
  }
});

test('registry-mirrors: a mirror of Docker Hub can have TLS of an own authority; what it lacks the next one has', async () => {
  await using empty = await open({});
  await using mirror = await open({ tls: authority.issue(`IP:${address}`) });
  const made = mirror.content.addImage('library/mirrored', [await tarOf({ a: 'mirrored' })], { tag: '1' });
  trust(mirror.host, { 'ca.crt': authority.cert });
  await configure({ 'registry-mirrors': [empty.url, mirror.url] });
  assert.equal(await pullError(daemon, 'mirrored:1'), undefined);
  const { Id } = valueOf(await daemon.ask('GET', '/images/mirrored:1/json'), 200) as { Id: string };
  assert.equal(Id, made.config.digest);
  assert.ok(empty.requests.length > 0);
  assert.equal((await daemon.ask('DELETE', '/images/mirrored:1')).status, 200);
});
