import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { openRegistry, pushImage, statusOf } from '#tests/configured-registry.ts';
import { startS3 } from '#tests/s3-server.ts';
import type { ScratchDir } from '#tests/scratch-dir.ts';
import { until } from '#tests/until.ts';

async function metric(url: string, name: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(metrics)?.[1]);
}

test('Registry: limits of sizes and of uploads at once', async () => {
  await using opened = await openRegistry({ limits: { blob: 500, manifest: 100, uploads: 1 } });
  const { url } = opened;
  assert.equal(await pushImage(url, 'a'), 413);
  const big = await fetch(`${url}/v2/a/manifests/x`, {
    method: 'PUT',
    headers: { 'Content-Type': mediaTypes.manifest },
    body: JSON.stringify({ schemaVersion: 2, annotations: { a: 'x'.repeat(200) } }),
  });
  assert.equal(big.status, 413);
  const begun = await fetch(`${url}/v2/a/blobs/uploads/`, { method: 'POST' });
  const location = new URL(begun.headers.get('location') ?? '', url);
  const gate = Promise.withResolvers<void>();
  const slow = fetch(location, {
    method: 'PATCH',
    body: new ReadableStream({
      async pull(controller) {
        controller.enqueue(Buffer.from('x'));
        await gate.promise;
        controller.close();
      },
    }),
    duplex: 'half',
  });
  await until(async () => (await metric(url, 'skiff_registry_uploads')) === 1, {
    what: 'the upload under way',
  });
  const refused = await fetch(`${url}/v2/a/blobs/uploads/`, { method: 'POST' });
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers.get('retry-after')) >= 1);
  gate.resolve();
  assert.equal((await slow).status, 202);
});

test('Registry: a repository has no more than its limit, whether pushed or mounted', async () => {
  await using opened = await openRegistry({ limits: { repository: 1500 } });
  const { url } = opened;
  assert.equal(await pushImage(url, 'a'), 201);
  assert.equal(await pushImage(url, 'a'), 413);
  assert.equal(await pushImage(url, 'b'), 201);
  const { layers } = (await (await fetch(`${url}/v2/b/manifests/latest`)).json()) as {
    layers: { digest: string }[];
  };
  const mount = await fetch(`${url}/v2/a/blobs/uploads/?mount=${layers[0]?.digest}&from=b`, {
    method: 'POST',
  });
  assert.equal(mount.status, 413);
  const empty = await fetch(`${url}/v2/c/blobs/uploads/?mount=${layers[0]?.digest}&from=b`, {
    method: 'POST',
  });
  assert.equal(empty.status, 201);
});

test('Registry: health, metrics on an address of their own, and an access log without secrets', async () => {
  await using opened = await openRegistry({ metrics: '127.0.0.1:0' });
  const { url, registry, lines } = opened;
  assert.equal(await statusOf(`${url}/healthz`), 200);
  assert.equal(await statusOf(`${url}/readyz`), 200);
  await statusOf(`${url}/v2/a/manifests/latest?secret=hunter2`, {
    Authorization: 'Bearer hunter2',
    'User-Agent': 'me/1',
  });
  const metrics = await (await fetch(`http://127.0.0.1:${registry.ports[0]}/metrics`)).text();
  assert.match(metrics, /^skiff_registry_requests_total\{method="GET",place="manifest",code="404"\} 1$/m);
  assert.equal(await statusOf(`http://127.0.0.1:${registry.ports[0]}/`), 404);
  const logged = lines.map((line): Record<string, unknown> => JSON.parse(line)).at(-1);
  assert.equal(logged?.['path'], '/v2/a/manifests/latest');
  assert.equal(logged?.['agent'], 'me/1');
  assert.ok(!lines.join('').includes('hunter2'));
});

function certificates(dir: ScratchDir): void {
  const openssl = (...args: readonly string[]): void => {
    execFileSync('openssl', args, { cwd: dir.path, stdio: 'pipe' });
  };
  for (const name of ['ca', 'other']) {
    openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
    );
  }
  writeFileSync(dir.join('san'), 'subjectAltName=IP:127.0.0.1');
  for (const [name, ca] of [
    ['server', 'ca'],
    ['client', 'ca'],
    ['stranger', 'other'],
  ] as const) {
    openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
    );
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      `${ca}.pem`,
      '-CAkey',
      `${ca}.key`,
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      'san',
      '-out',
      `${name}.pem`,
    );
  }
}

async function httpsGet(url: string, options: object): Promise<{ status: number | undefined; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number | undefined; body: string }>();
  const request = httpsRequest(url, { agent: false, ...options }, (response) => {
    text(response).then((body) => resolve({ status: response.statusCode, body }), reject);
  });
  request.on('error', reject).end();
  return await promise;
}

test('Registry: TLS with certificates of clients; new certificates count after a reload', async () => {
  const tls = { cert: 'server.pem', key: 'server.key', clientCa: 'ca.pem' };
  await using opened = await openRegistry({ tls }, certificates);
  const { url, dir, registry, configure } = opened;
  const pem = (name: string): Buffer => readFileSync(dir.join(name));
  const ca = pem('ca.pem');
  const client = { ca, cert: pem('client.pem'), key: pem('client.key') };
  assert.equal((await httpsGet(`${url}/v2/`, client)).status, 200);
  await assert.rejects(httpsGet(`${url}/v2/`, { ca }), /alert|certificate|socket hang up|ECONNRESET/i);
  const stranger = { ca, cert: pem('stranger.pem'), key: pem('stranger.key') };
  await assert.rejects(httpsGet(`${url}/v2/`, stranger), /alert|certificate|socket hang up|ECONNRESET/i);
  assert.throws(
    () => registry.reload(configure({ tls: { ...tls, key: 'client.key' } })),
    /^EngineError: tls: the certificate and the key cannot be used/,
  );
  registry.reload(configure({ tls: { ...tls, cert: 'stranger.pem', key: 'stranger.key' } }));
  await assert.rejects(httpsGet(`${url}/v2/`, client), /unable to verify|certificate/i);
  assert.equal((await httpsGet(`${url}/v2/`, { ...client, ca: pem('other.pem') })).status, 200);
});

test('Registry: two processes on one bucket see what the other one has', async () => {
  await using server = await startS3();
  const { endpoint, bucket, accessKeyId, secretAccessKey } = server;
  const storage = {
    kind: 's3',
    bucket,
    endpoint: endpoint.href,
    accessKeyId,
    secretAccessKey,
    redirect: true,
  };
  await using one = await openRegistry({ storage });
  await using two = await openRegistry({ storage });
  assert.equal(await pushImage(one.url, 'team/app'), 201);
  const manifest = await (await fetch(`${two.url}/v2/team/app/manifests/latest`)).json();
  const { digest } = (manifest as { layers: { digest: string }[] }).layers[0] ?? { digest: '' };
  const redirected = await fetch(`${two.url}/v2/team/app/blobs/${digest}`, { redirect: 'manual' });
  assert.equal(redirected.status, 307);
  const content = await (await fetch(`${two.url}/v2/team/app/blobs/${digest}`)).bytes();
  assert.equal(digestOf(content), digest);
  const begun = await fetch(`${one.url}/v2/team/app/blobs/uploads/`, { method: 'POST' });
  const path = begun.headers.get('location') ?? '';
  await fetch(new URL(path, one.url), { method: 'PATCH', body: 'first ' });
  const status = await fetch(new URL(path, two.url));
  assert.equal(status.headers.get('range'), '0-5');
  await fetch(new URL(path, two.url), {
    method: 'PATCH',
    body: 'second',
    headers: { 'Content-Range': '6-11' },
  });
  const end = new URL(path, one.url);
  end.searchParams.set('digest', digestOf('first second'));
  assert.equal((await fetch(end, { method: 'PUT' })).status, 201);
  assert.equal(await statusOf(`${two.url}/v2/team/app/blobs/${digestOf('first second')}`), 200);
});

test('Registry.open: says what does not work', async () => {
  await assert.rejects(
    openRegistry({ auth: { htpasswd: { path: 'nobody' } } }),
    /auth\.htpasswd\.path: cannot read the users: ENOENT/,
  );
  await assert.rejects(openRegistry({ tls: { cert: 'x', key: 'y' } }), /tls\.cert: ENOENT/);
  await using opened = await openRegistry({});
  const taken = new URL(opened.url).port;
  await assert.rejects(
    openRegistry({ listen: [`127.0.0.1:${taken}`] }),
    /cannot listen on 127\.0\.0\.1:\d+: the address is in use/,
  );
});

test('Registry: endpoints are told of what happens, and the metrics of the endpoints', async () => {
  const told: string[] = [];
  const hook = createServer((request, response) => {
    void text(request).then((body) => {
      const { events } = JSON.parse(body) as { events: { action: string; target: { tag?: string } }[] };
      told.push(...events.map(({ action, target }) => `${action} ${target.tag ?? 'blob'}`));
      response.end();
    });
  }).listen(0, '127.0.0.1');
  await once(hook, 'listening');
  const address = hook.address();
  const port = typeof address === 'object' ? address?.port : 0;
  await using opened = await openRegistry({
    notifications: [{ name: 'ci', url: `http://127.0.0.1:${port}/` }],
  });
  await pushImage(opened.url, 'a');
  await until(() => told.length >= 3, { what: 'the events' });
  assert.deepEqual(told, ['push blob', 'push blob', 'push latest']);
  await until(
    async () => (await metric(opened.url, 'skiff_registry_notifications_waiting\\{endpoint="ci"\\}')) === 0,
    { what: 'an empty queue' },
  );
  hook.close().closeAllConnections();
  await once(hook, 'close');
});
