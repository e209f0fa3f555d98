import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import fc from 'fast-check';
import { digestOf } from '#/oci/digest.ts';
import { type FaultyRegistry, openFaultyRegistry } from '#tests/faulty-registry.ts';
import { never, openClient, repositoryOf } from '#tests/registry-clients.ts';
import { until } from '#tests/until.ts';
import type { PushBlobOptions } from './repository.ts';

const bytes = randomBytes(300_000);
const blob = { mediaType: 'application/octet-stream', digest: digestOf(bytes), size: bytes.length };

/** The blob from a byte on, in pieces. */
async function* open(start: number): AsyncGenerator<Uint8Array> {
  for (let at = start; at < bytes.length; at += 30_000)
    yield bytes.subarray(at, Math.min(at + 30_000, bytes.length));
}

/** An empty registry, and how to push the blob to it. */
async function withRegistry(
  run: (
    registry: FaultyRegistry,
    push: (options?: Partial<PushBlobOptions>) => Promise<string>,
  ) => Promise<void>,
): Promise<void> {
  await using registry = await openFaultyRegistry();
  using client = openClient();
  await run(registry, (options) => {
    const repository = repositoryOf(client, `${registry.host}/app`, { actions: 'pull,push' });
    return repository.pushBlob(blob, open, { signal: never(), ...options });
  });
}

function stored(registry: FaultyRegistry): Buffer | undefined {
  return registry.content.repository('app').blobs.get(blob.digest);
}

test('pushBlob uploads once, and finds what is there', async () => {
  await withRegistry(async (registry, push) => {
    const progress: number[] = [];
    assert.equal(await push({ onProgress: (count) => progress.push(count) }), 'uploaded');
    assert.deepEqual(stored(registry), bytes);
    assert.equal(progress.at(-1), bytes.length);
    assert.deepEqual(
      progress,
      progress.toSorted((a, b) => a - b),
    );
    assert.equal(await push(), 'exists');
    assert.deepEqual(
      registry.requests.map(({ method }) => method),
      ['HEAD', 'POST', 'PATCH', 'PUT', 'HEAD'],
    );
    assert.equal(registry.seen('PATCH')[0]?.headers['content-range'], undefined);
  });
});

test('pushBlob goes on where an upload was cut, at any byte', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ after: fc.integer({ min: 1, max: 150_000 }), lose: fc.boolean() }), {
        minLength: 1,
        maxLength: 2,
      }),
      async (cuts) => {
        await withRegistry(async (registry, push) => {
          cuts.forEach((cut, skip) => {
            registry.faults.add({ method: 'PATCH', skip, times: 1, fault: { kind: 'cutUpload', ...cut } });
          });
          assert.equal(await push(), 'uploaded');
          assert.deepEqual(stored(registry), bytes);
        });
      },
    ),
    { numRuns: 12 },
  );
});

test('pushBlob sends only the rest, with its range, after a cut', async () => {
  await withRegistry(async (registry, push) => {
    registry.faults.add({ method: 'PATCH', times: 1, fault: { kind: 'cutUpload', after: 65_536 } });
    await push();
    const [, second] = registry.seen('PATCH');
    assert.equal(second?.headers['content-range'], `65536-${bytes.length - 1}`);
    assert.equal(second?.body.length, bytes.length - 65_536);
    assert.equal(registry.content.repository('app').uploads.size, 0);
  });
});

test('pushBlob goes on as long as something arrives, more often than it would try in vain', async () => {
  await withRegistry(async (registry, push) => {
    registry.faults.add({ method: 'PATCH', times: 8, fault: { kind: 'cutUpload', after: 30_000 } });
    assert.equal(await push(), 'uploaded');
    assert.deepEqual(stored(registry), bytes);
    assert.equal(registry.seen('PATCH').length, 9);
  });
});

test('pushBlob gives up when nothing arrives', async () => {
  await withRegistry(async (registry, push) => {
    registry.faults.add({ method: 'PATCH', fault: { kind: 'cutUpload', after: 50_000, lose: true } });
    await assert.rejects(push(), { kind: 'unavailable', message: /^Patch "http:.*\/blobs\/uploads\// });
    assert.equal(registry.seen('PATCH').length, 3);
  });
});

test('pushBlob does not send a blob again when only the last answer was lost', async () => {
  await withRegistry(async (registry, push) => {
    registry.faults.add({ method: 'PUT', times: 1, fault: { kind: 'loseAnswer' } });
    assert.equal(await push(), 'uploaded');
    assert.equal(registry.seen('PATCH').length, 1);
    assert.deepEqual(stored(registry), bytes);
  });
});

test('pushBlob begins anew when the registry has forgotten the upload', async () => {
  await withRegistry(async (registry, push) => {
    registry.faults.add(
      { method: 'PATCH', times: 1, fault: { kind: 'cutUpload', after: 50_000 } },
      { method: 'GET', path: '/uploads/', fault: { kind: 'answer', answer: { status: 404 } } },
    );
    assert.equal(await push(), 'uploaded');
    assert.equal(registry.seen('POST').length, 2);
    assert.deepEqual(stored(registry), bytes);
  });
});

test('pushBlob waits for an overloaded registry at every step', async () => {
  await withRegistry(async (registry) => {
    using client = openClient({ maxAttempts: 6 });
    const repository = repositoryOf(client, `${registry.host}/app`, { actions: 'pull,push' });
    for (const method of ['HEAD', 'POST', 'PATCH', 'PUT', 'GET']) {
      const answer = { status: 503, headers: { 'retry-after': '0' } };
      registry.faults.add({ method, times: 1, fault: { kind: 'answer', answer } });
    }
    assert.equal(await repository.pushBlob(blob, open, { signal: never() }), 'uploaded');
    assert.deepEqual(stored(registry), bytes);
  });
});

test('pushBlob mounts from the first repository that has the blob, and uploads otherwise', async () => {
  await withRegistry(async (registry, push) => {
    registry.content.addBlob('team/base', bytes);
    assert.equal(await push({ mountFrom: ['other', 'team/base'] }), 'mounted');
    assert.equal(registry.seen('PATCH').length, 0);
    assert.deepEqual(
      registry.seen('POST').map(({ path }) => new URL(path, 'http://x').searchParams.get('from')),
      ['other', 'team/base'],
    );
    registry.content.repository('app').blobs.clear();
    assert.equal(await push({ mountFrom: ['other'] }), 'uploaded');
    // The upload that the refused mount began is used.
    assert.equal(registry.seen('POST').length, 3);
  });
});

test('pushBlob does not insist where it may not push', async () => {
  await withRegistry(async (registry, push) => {
    const body = JSON.stringify({ errors: [{ code: 'DENIED', message: 'read only' }] });
    registry.faults.add({ method: 'POST', fault: { kind: 'answer', answer: { status: 403, body } } });
    await assert.rejects(push(), { kind: 'forbidden', message: 'denied: read only' });
    await assert.rejects(push({ mountFrom: ['other'] }), { kind: 'forbidden' });
    assert.equal(registry.seen('POST').length, 3);
    // Where already the question is refused, the words come from the attempt: there are none in an answer to HEAD.
    registry.faults.add({ method: 'HEAD', fault: { kind: 'answer', answer: { status: 403, body } } });
    await assert.rejects(push(), { kind: 'forbidden', message: 'denied: read only' });
  });
});

test('pushBlob passes on what its source throws, and does not promise what that does not have', async () => {
  await withRegistry(async (registry) => {
    using client = openClient();
    const repository = repositoryOf(client, `${registry.host}/app`, { actions: 'pull,push' });
    const broken = new Error('the disk is broken');
    async function* failing(start: number): AsyncGenerator<Uint8Array> {
      yield* (await Array.fromAsync(open(start))).slice(0, 3);
      throw broken;
    }
    await assert.rejects(repository.pushBlob(blob, failing, { signal: never() }), broken);
    for (const size of [bytes.length - 1, bytes.length + 1]) {
      const wrong = { ...blob, size };
      await assert.rejects(repository.pushBlob(wrong, open, { signal: never() }), {
        kind: 'internal',
        message: `blob ${blob.digest} does not have the ${size} bytes of its descriptor here`,
      });
    }
    assert.equal(registry.seen('POST').length, 3);
    await until(async () => (await registry.connections()) <= 1, { what: 'the end of broken connections' });
  });
});

test('pushBlob stops sending when the registry has answered already', async () => {
  await withRegistry(async (registry) => {
    using client = openClient();
    const repository = repositoryOf(client, `${registry.host}/app`, { actions: 'pull,push' });
    registry.faults.add({ method: 'PATCH', fault: { kind: 'early', status: 413 } });
    let sent = 0;
    let closed = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (; ; sent += 1) yield Buffer.alloc(100_000);
      } finally {
        closed = true;
      }
    }
    const large = { ...blob, size: 1e12 };
    await assert.rejects(repository.pushBlob(large, endless, { signal: never() }), /413/);
    await until(() => closed, { what: 'the end of the source' });
    assert.ok(sent < 1000);
  });
});

test('pushBlob ends when it is cancelled, and leaves no listeners', async () => {
  await withRegistry(async (registry, push) => {
    registry.faults.add({ method: 'PATCH', fault: { kind: 'silence' } });
    const cancel = new AbortController();
    const working = push({ signal: cancel.signal });
    await until(() => registry.seen('PATCH').length > 0, { what: 'the upload' });
    cancel.abort(new Error('the caller has left'));
    await assert.rejects(working, /the caller has left/);
    assert.equal(getEventListeners(cancel.signal, 'abort').length, 0);
  });
});

test('pushBlob uploads to where the registry says, without credentials on other hosts', async () => {
  await using other = await openFaultyRegistry();
  await withRegistry(async (registry) => {
    using client = openClient();
    const credentials = { kind: 'basic', username: 'joe', password: 'hunter2' } as const;
    const repository = repositoryOf(client, `${registry.host}/app`, { actions: 'pull,push', credentials });
    registry.faults.add({
      method: 'POST',
      fault: { kind: 'headers', set: { location: `${other.url}/v2/app/blobs/uploads/upload-1-0` } },
    });
    other.content.repository('app').uploads.set('upload-1-0', Buffer.alloc(0));
    assert.equal(await repository.pushBlob(blob, open, { signal: never() }), 'uploaded');
    assert.deepEqual(other.content.repository('app').blobs.get(blob.digest), bytes);
    assert.ok(other.requests.every(({ headers }) => headers['authorization'] === undefined));
  });
});
