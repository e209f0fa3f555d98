import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problem } from '#tests/faulty-registry/answer.ts';
import { openFaultyRegistry } from '#tests/faulty-registry.ts';
import { openClient, repositoryOf } from '#tests/registry-clients.ts';
import { RegistryError } from './failures.ts';
import { Tries } from './retry.ts';

function refused(status: number, retryAfter?: number): RegistryError {
  return new RegistryError('unavailable', 'no', { status, retryAfter });
}

/** How long is waited after each of these failures, in milliseconds, and how it ends. */
async function waits(...errors: readonly RegistryError[]): Promise<{ waited: number[]; ended: unknown }> {
  const waited: number[] = [];
  const leave = new AbortController();
  const onRetry = (_error: unknown, delay: number): void => {
    waited.push(delay);
  };
  const tries = new Tries({ attempts: 5, delay: 10, signal: leave.signal, onRetry });
  try {
    for (const error of errors) await tries.again(error);
    return { waited, ended: undefined };
  } catch (ended) {
    return { waited, ended };
  }
}

test('Tries waits longer each time, or as long as a registry asks', async () => {
  const { waited, ended } = await waits(refused(503), refused(503), refused(503), refused(429, 5));
  assert.equal(ended, undefined);
  for (const [index, base] of [10, 20, 40].entries()) {
    const delay = waited[index] ?? 0;
    assert.ok(delay >= base / 2 && delay <= base * 1.5, `${delay}`);
  }
  assert.equal(waited[3], 5);
});

test('Tries gives up after so many, or when a registry asks for too long a pause, and says so', async () => {
  const errors = Array.from({ length: 5 }, () => refused(503, 1));
  const { waited, ended } = await waits(...errors);
  assert.deepEqual(waited, [1, 1, 1, 1]);
  assert.ok(ended instanceof RegistryError);
  assert.deepEqual([ended.message, ended.status], ['no (gave up after 5 tries)', 503]);

  const late = await waits(refused(503, 2), refused(429, 59_999));
  assert.deepEqual(late.waited, [2]);
  assert.ok(late.ended instanceof RegistryError);
  assert.equal(late.ended.message, 'no (gave up after 2 tries: the next one is wanted in 60 s only)');
  const never = await waits(refused(429, 3_600_000));
  assert.match(String(never.ended), /gave up after 1 try: the next one is wanted in 3600 s only/);
});

test('Tries ends when the one who waits leaves', async () => {
  const leave = new AbortController();
  const tries = new Tries({ attempts: 5, delay: 30_000, signal: leave.signal });
  const waiting = tries.again(refused(503));
  leave.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
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

test('a blob that an overloaded registry does not give is asked for as often as everything else', async () => {
  await using registry = await openFaultyRegistry();
  const blob = registry.content.addBlob('app', Buffer.alloc(1000));
  using client = openClient();
  const headers = { 'retry-after': '0' };
  registry.faults.add({ fault: { kind: 'answer', answer: { status: 503, headers } } });
  const repository = repositoryOf(client, `${registry.host}/app`);
  const { signal } = new AbortController();
  await assert.rejects(Array.fromAsync(repository.download(blob, { signal })), {
    status: 503,
    message: `Get "${registry.url}/v2/app/blobs/${blob.digest}": received unexpected HTTP status: 503 Service Unavailable (gave up after 3 tries)`,
  });
  assert.equal(registry.requests.length, 3);
});

test('a registry that has had enough is told with what it was asked for', async () => {
  await using registry = await openFaultyRegistry();
  using client = openClient();
  const answer = problem(429, 'TOOMANYREQUESTS', 'You have reached your pull rate limit');
  registry.faults.add({ fault: { kind: 'answer', answer: { ...answer, headers: { 'retry-after': '0' } } } });
  const asked = repositoryOf(client, `${registry.host}/app`).manifest('1', {
    signal: AbortSignal.timeout(60_000),
  });
  await assert.rejects(asked, {
    status: 429,
    message: `toomanyrequests: You have reached your pull rate limit (Get "${registry.url}/v2/app/manifests/1": gave up after 3 tries)`,
  });
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
