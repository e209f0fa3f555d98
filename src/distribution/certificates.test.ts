import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { type Authority, makeAuthority } from '#tests/certificates.ts';
import {
  type FaultyRegistry,
  type FaultyRegistryOptions,
  openFaultyRegistry,
} from '#tests/faulty-registry.ts';
import { ownAddress as address } from '#tests/own-address.ts';
import { never, openClient, repositoryOf } from '#tests/registry-clients.ts';
import { type ScratchDir, scratchDir } from '#tests/scratch-dir.ts';
import type { RegistryClient } from './registry-client.ts';

/** A registry with TLS, an authority of its own, and folders like `certs.d`. */
async function withRegistry(
  tls: (authority: Authority) => NonNullable<FaultyRegistryOptions['tls']>,
  run: (parts: {
    authority: Authority;
    registry: FaultyRegistry;
    /** Puts files into the folder for the registry, or one of that name. */
    put: (files: Readonly<Record<string, string>>, host?: string) => void;
    client: () => RegistryClient;
  }) => Promise<void>,
): Promise<void> {
  using dir: ScratchDir = scratchDir();
  using keys: ScratchDir = scratchDir();
  using stack = new DisposableStack();
  const authority = makeAuthority(keys);
  await using registry = await openFaultyRegistry({ listen: address, tls: tls(authority) });
  registry.content.addImage('app', [], { tag: 'latest' });
  await run({
    authority,
    registry,
    put: (files, host = registry.host) => {
      mkdirSync(dir.join(host), { recursive: true });
      for (const [name, text] of Object.entries(files)) writeFileSync(dir.join(host, name), text);
    },
    client: () => stack.use(openClient({ hosts: { certificateDirectories: [dir.join('none'), dir.path] } })),
  });
}

function pull(client: RegistryClient, { host }: FaultyRegistry): Promise<unknown> {
  return repositoryOf(client, `${host}/app`).manifest('latest', { signal: never() });
}

test('a registry whose certificate nobody vouches for is refused, until its authority is in certs.d', async () => {
  await withRegistry(
    (authority) => authority.issue(`IP:${address}`),
    async ({ authority, registry, put, client }) => {
      await assert.rejects(pull(client(), registry), {
        kind: 'unavailable',
        message: `Get "${registry.url}/v2/app/manifests/latest": tls: failed to verify certificate: x509: certificate signed by unknown authority`,
      });
      put({ 'ca.crt': authority.cert }, 'other.example:5000');
      await assert.rejects(pull(client(), registry), /unknown authority/);
      put({ 'ca.crt': authority.cert, 'readme.txt': 'not a certificate' });
      await pull(client(), registry);
      assert.equal(registry.requests.length, 1);
    },
  );
});

test('a certificate for another name is refused, and one that has expired', async () => {
  await withRegistry(
    (authority) => authority.issue('DNS:other.example'),
    async ({ authority, registry, put, client }) => {
      put({ 'ca.crt': authority.cert });
      await assert.rejects(
        pull(client(), registry),
        new RegExp(`certificate is valid for other.example, not ${address}`),
      );
    },
  );
  await withRegistry(
    (authority) => authority.issue(`IP:${address}`, { days: -1 }),
    async ({ authority, registry, put, client }) => {
      put({ 'ca.crt': authority.cert });
      await assert.rejects(pull(client(), registry), /certificate has expired or is not yet valid/);
    },
  );
});

test('a registry that wants to know who asks gets our certificate, also under another name', async () => {
  await withRegistry(
    (authority) => ({
      ...authority.issue(`IP:${address}`),
      ca: authority.cert,
      requestCert: true,
      rejectUnauthorized: true,
    }),
    async ({ authority, registry, put, client }) => {
      put({ 'ca.crt': authority.cert });
      await assert.rejects(
        pull(client(), registry),
        /remote error: tls: certificate required|EOF|connection reset/,
      );
      const { cert, key } = authority.issue('DNS:someone');
      put({ 'someone.cert': cert, 'someone.key': key });
      await pull(client(), registry);
      assert.equal(registry.requests.length, 1);
    },
  );
});

test('half a pair is refused with the name of what is missing, and a certificate that is none', async () => {
  await withRegistry(
    (authority) => authority.issue(`IP:${address}`),
    async ({ authority, registry, put, client }) => {
      put({ 'ca.crt': authority.cert, 'me.cert': authority.cert });
      await assert.rejects(pull(client(), registry), {
        kind: 'invalid',
        message: /^missing me\.key for me\.cert in /,
      });
      put({ 'me.key': 'nonsense' });
      await assert.rejects(pull(client(), registry), {
        kind: 'internal',
        message: /^the certificates for a registry cannot be used: /,
      });
    },
  );
});

test('an insecure registry needs no certificate, but those that it leads to do', async () => {
  await withRegistry(
    (authority) => authority.issue('DNS:whatever'),
    async ({ registry }) => {
      await withRegistry(
        (authority) => authority.issue(`IP:${address}`),
        async ({ registry: other }) => {
          using client = openClient({ hosts: { insecure: [registry.host] }, maxAttempts: 1 });
          await pull(client, registry);
          const location = `${other.url}/v2/app/manifests/latest`;
          registry.faults.add({ fault: { kind: 'answer', answer: { status: 307, headers: { location } } } });
          await assert.rejects(pull(client, registry), /unknown authority/);
          assert.equal(other.requests.length, 0);
        },
      );
    },
  );
});

test('a registry with TLS does not lead to none, neither for blobs nor for uploads', async () => {
  await using plain = await openFaultyRegistry({ listen: address });
  await withRegistry(
    (authority) => authority.issue(`IP:${address}`),
    async ({ authority, registry, put, client }) => {
      put({ 'ca.crt': authority.cert });
      const blob = registry.content.addBlob('app', Buffer.from('x'));
      const location = `${plain.url}/v2/app/blobs/${blob.digest}`;
      registry.faults.add(
        { method: 'GET', fault: { kind: 'answer', answer: { status: 307, headers: { location } } } },
        { method: 'POST', fault: { kind: 'answer', answer: { status: 202, headers: { location } } } },
      );
      const repository = repositoryOf(client(), `${registry.host}/app`, { actions: 'pull,push' });
      const refusal = { kind: 'forbidden', message: /leads to "http:.*without TLS; nothing was sent there/ };
      await assert.rejects(repository.blob(blob.digest, { signal: never() }), refusal);
      registry.content.repository('app').blobs.clear();
      async function* open(): AsyncGenerator<Uint8Array> {
        yield Buffer.from('x');
      }
      await assert.rejects(repository.pushBlob(blob, open, { signal: never() }), refusal);
      assert.equal(plain.requests.length, 0);
    },
  );
});

test('a registry without TLS that is not insecure is named as such', async () => {
  await using plain = await openFaultyRegistry({ listen: address });
  using client = openClient({ maxAttempts: 1 });
  await assert.rejects(pull(client, plain), {
    message: `Get "https://${plain.host}/v2/app/manifests/latest": http: server gave HTTP response to HTTPS client`,
  });
  assert.equal(plain.requests.length, 0);
});
