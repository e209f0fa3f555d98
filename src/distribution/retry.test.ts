import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openFaultyRegistry } from '#tests/faulty-registry.ts';
import { openClient, repositoryOf } from '#tests/registry-clients.ts';
import { RegistryError } from './failures.ts';
import { pause } from './retry.ts';

function refused(status: number, retryAfter?: number): RegistryError {
  return new RegistryError('unavailable', 'no', { status, retryAfter });
}

/** How long is waited before the next try. */
async function waited(error: unknown, number: number): Promise<number> {
  const leave = new AbortController();
  let asked = Number.NaN;
  const onRetry = (_error: unknown, delay: number): void => {
    asked = delay;
    leave.abort(new Error('enough'));
  };
  await assert.rejects(
    pause(error, number, { attempts: 5, delay: 100, signal: leave.signal, onRetry }),
    /enough/,
  );
  return asked;
}

test('pause waits as long as a registry asks, within reason, and longer each time otherwise', async () => {
  assert.equal(await waited(refused(429, 7000), 1), 7000);
  assert.equal(await waited(refused(429, 3_600_000), 1), 60_000);
  for (const [number, base] of [
    [1, 100],
    [2, 200],
    [5, 1600],
  ] as const) {
    const delay = await waited(refused(503), number);
    assert.ok(delay >= base / 2 && delay <= base * 1.5, `${delay}`);
  }
});

test('what passes is tried again, what does not is not', async () => {
  for (const [status, tries] of [
    [429, 3],
    [500, 3],
    [502, 3],
    [503, 3],
    [408, 3],
    [501, 1],
    [400, 1],
    [403, 1],
    [404, 1],
  ] as const) {
    await using registry = await openFaultyRegistry();
    registry.content.addImage('app', [], { tag: 'latest' });
    using client = openClient();
    const ask = (): Promise<unknown> =>
      repositoryOf(client, `${registry.host}/app`).manifest('latest', {
        signal: new AbortController().signal,
      });
    const headers = { 'retry-after': '0' };
    registry.faults.add({ fault: { kind: 'answer', answer: { status, headers } } });
    await assert.rejects(ask(), { status });
    assert.equal(registry.requests.length, tries, `${status}`);
    registry.faults.clear();
    registry.faults.add({ times: tries - 1, fault: { kind: 'answer', answer: { status, headers } } });
    if (tries > 1) await ask();
  }
});

test('a refusal tells when to come again, in seconds or as a date', async () => {
  await using registry = await openFaultyRegistry();
  using client = openClient({ maxAttempts: 1 });
  const retryAfter = async (text: string): Promise<number | undefined> => {
    registry.faults.clear();
    registry.faults.add({
      fault: { kind: 'answer', answer: { status: 429, headers: { 'retry-after': text } } },
    });
    const asked = repositoryOf(client, `${registry.host}/app`).manifest('x', {
      signal: new AbortController().signal,
    });
    const error: unknown = await asked.catch((reason: unknown) => reason);
    assert.ok(error instanceof RegistryError);
    return error.retryAfter;
  };
  assert.equal(await retryAfter('12'), 12_000);
  assert.equal(await retryAfter('soon'), undefined);
  const date = (await retryAfter(new Date(Date.now() + 100_000).toUTCString())) ?? 0;
  assert.ok(date > 90_000 && date <= 100_000);
  assert.equal(await retryAfter('Thu, 01 Jan 1970 00:00:00 GMT'), 0);
});
