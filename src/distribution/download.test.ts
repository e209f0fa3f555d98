import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Descriptor } from '#/oci/descriptor.ts';
import { digestOf } from '#/oci/digest.ts';
import { type FaultyRegistry, openFaultyRegistry } from '#tests/faulty-registry.ts';
import { never, openClient, repositoryOf } from '#tests/registry-clients.ts';
import { until } from '#tests/until.ts';
import { parseContentRange } from './download.ts';

const bytes = randomBytes(100_000);

/** A registry with one blob, and how to download it. */
async function withBlob(
  run: (parts: {
    registry: FaultyRegistry;
    blob: Descriptor;
    download: (options?: { start?: number; signal?: AbortSignal; wanted?: Descriptor }) => Promise<Buffer>;
    retries: number[];
  }) => Promise<void>,
): Promise<void> {
  await using registry = await openFaultyRegistry();
  using client = openClient();
  const blob = registry.content.addBlob('app', bytes);
  const repository = repositoryOf(client, `${registry.host}/app`);
  const retries: number[] = [];
  await run({
    registry,
    blob,
    retries,
    download: async ({ start = 0, signal = never(), wanted = blob } = {}) => {
      const onRetry = (_error: unknown, delay: number): number => retries.push(delay);
      return Buffer.concat(await Array.fromAsync(repository.download(wanted, { start, signal, onRetry })));
    },
  });
}

test('parseContentRange reads what it writes, and nothing that contradicts itself', () => {
  const size = fc.nat({ max: 1e12 });
  fc.assert(
    fc.property(size, size, fc.option(size, { nil: undefined }), (start, end, total) => {
      const parsed = parseContentRange(`bytes ${start}-${end}/${total ?? '*'}`);
      const isRight = end >= start && (total === undefined || end < total);
      assert.deepEqual(parsed, isRight ? { start, end, total } : undefined);
    }),
  );
  for (const text of [
    '',
    'bytes',
    'bytes 1-2',
    'bytes */5',
    'items 0-1/2',
    'bytes -1-2/3',
    'bytes 0-1e3/9999',
  ]) {
    assert.equal(parseContentRange(text), undefined, text);
  }
});

test('download gives the whole blob, and from a byte on asks for the rest only', async () => {
  await withBlob(async ({ registry, download }) => {
    assert.deepEqual(await download(), bytes);
    assert.deepEqual(await download({ start: 99_990 }), bytes.subarray(99_990));
    assert.deepEqual(await download({ start: bytes.length }), Buffer.alloc(0));
    assert.deepEqual(
      registry.seen('GET', '/blobs/').map(({ headers }) => headers['range']),
      [undefined, 'bytes=99990-'],
    );
  });
});

test('download goes on after cuts at any byte', async () => {
  await withBlob(async ({ registry, download }) => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 40_000 }), { maxLength: 5 }), async (cuts) => {
        registry.faults.clear();
        // One cut for each request, in turn.
        cuts.forEach((after, skip) => {
          registry.faults.add({ path: '/blobs/', skip, times: 1, fault: { kind: 'cut', after: after + 1 } });
        });
        assert.deepEqual(await download(), bytes);
      }),
      { numRuns: 15 },
    );
  });
});

test('download skips what it has where a registry ignores ranges', async () => {
  await withBlob(async ({ registry, download }) => {
    registry.faults.add({ fault: { kind: 'ignoreRange' } });
    registry.faults.add({ times: 1, fault: { kind: 'cut', after: 33_333 } });
    assert.deepEqual(await download(), bytes);
    assert.deepEqual(await download({ start: 5 }), bytes.subarray(5));
  });
});

test('download refuses other bytes than it asked for', async () => {
  await withBlob(async ({ registry, download }) => {
    registry.faults.add({ fault: { kind: 'headers', set: { 'content-range': 'bytes 11-99999/100000' } } });
    await assert.rejects(download({ start: 10 }), /asked for bytes from 10 on, the answer has others/);
    registry.faults.clear();
    registry.faults.add({ fault: { kind: 'headers', set: { 'content-range': undefined } } });
    await assert.rejects(download({ start: 10 }), /the answer has others/);
  });
});

test('download refuses blobs that are shorter or longer than their descriptor', async () => {
  await withBlob(async ({ registry, blob, download }) => {
    const other = { ...blob, size: blob.size + 1 };
    await assert.rejects(download({ wanted: other }), {
      kind: 'invalid',
      message: /has 100000 bytes.*says 100001/,
    });
    // Without a length in advance the bytes themselves tell.
    const chunked = { 'transfer-encoding': 'chunked' };
    registry.faults.add({ fault: { kind: 'headers', set: chunked } });
    assert.deepEqual(await download(), bytes);
    await assert.rejects(download({ wanted: { ...blob, size: blob.size - 1 } }), {
      kind: 'invalid',
      message: /longer than the 99999 bytes/,
    });
    registry.faults.add({ fault: { kind: 'truncate', bytes: 1000 } });
    registry.faults.add({ fault: { kind: 'ignoreRange' } });
    await assert.rejects(download(), { kind: 'unavailable', message: /sent 1000 of 100000 bytes/ });
  });
});

test('download survives lengths that are announced wrongly', async () => {
  await withBlob(async ({ registry, download }) => {
    registry.faults.add({ times: 1, fault: { kind: 'headers', set: { 'content-length': '100001' } } });
    await assert.rejects(download(), { kind: 'invalid', message: /has 100001 bytes at the registry/ });
  });
});

test('download gives up after so many tries that bring nothing', async () => {
  await withBlob(async ({ registry, download, retries }) => {
    registry.faults.add({ path: '/blobs/', fault: { kind: 'cut', after: 0 } });
    await assert.rejects(download(), { kind: 'unavailable' });
    assert.equal(registry.seen('GET').length, 3);
    assert.equal(retries.length, 2);
  });
});

test('download ends at once when it is cancelled, and leaves neither connections nor listeners', async () => {
  await withBlob(async ({ registry, blob, download }) => {
    registry.faults.add({ fault: { kind: 'slow', pause: 50, piece: 10_000 } });
    const cancel = new AbortController();
    const reason = new Error('the caller has left');
    const working = download({ signal: cancel.signal });
    await until(() => registry.requests.length > 0, { what: 'the request' });
    cancel.abort(reason);
    await assert.rejects(working, reason);
    await until(async () => (await registry.connections()) === 0, { what: 'the end of the connection' });
    assert.equal(getEventListeners(cancel.signal, 'abort').length, 0);
    using client = openClient();
    // A consumer that stops early.
    const { signal } = new AbortController();
    for await (const chunk of repositoryOf(client, `${registry.host}/app`).download(blob, { signal })) {
      assert.ok(chunk.length > 0);
      break;
    }
    await until(async () => (await registry.connections()) === 0, { what: 'the end of the connection' });
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });
});

test('a download that many share the signal of leaves no listeners', async () => {
  await withBlob(async ({ registry, download }) => {
    const { signal } = new AbortController();
    for (let round = 0; round < 20; round += 1) await download({ signal });
    await until(() => getEventListeners(signal, 'abort').length === 0, { what: 'the end of the listeners' });
    assert.ok((await registry.connections()) <= 1, 'connections are used again');
  });
});

test('a blob that is not there is not asked for again', async () => {
  await withBlob(async ({ registry, download }) => {
    const wanted = { mediaType: '', digest: digestOf('x'), size: 1 };
    await assert.rejects(download({ wanted }), {
      kind: 'notFound',
      message: 'blob unknown: blob unknown to registry',
    });
    assert.equal(registry.requests.length, 1);
  });
});
