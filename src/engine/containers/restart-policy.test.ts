import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextDelay, shouldRestart, shouldStartAtBoot } from './restart-policy.ts';

const base = { exitCode: 1, restartCount: 0, manuallyStopped: false };
const policy = (Name: string, MaximumRetryCount = 0): { Name: string; MaximumRetryCount: number } => ({
  Name,
  MaximumRetryCount,
});

test('shouldRestart: policies', () => {
  assert.equal(shouldRestart({ ...base, policy: policy('no') }), false);
  assert.equal(shouldRestart({ ...base, policy: policy('') }), false);
  assert.equal(shouldRestart({ ...base, policy: policy('always'), exitCode: 0 }), true);
  assert.equal(shouldRestart({ ...base, policy: policy('unless-stopped') }), true);
  assert.equal(shouldRestart({ ...base, policy: policy('on-failure') }), true);
  assert.equal(shouldRestart({ ...base, policy: policy('on-failure'), exitCode: 0 }), false);
  assert.equal(shouldRestart({ ...base, policy: policy('on-failure', 2), restartCount: 2 }), false);
});

test('shouldRestart: a stop by request wins over every policy', () => {
  for (const name of ['always', 'unless-stopped', 'on-failure']) {
    assert.equal(shouldRestart({ ...base, policy: policy(name), manuallyStopped: true }), false);
  }
});

test('shouldStartAtBoot: only `always` ignores a stop by request', () => {
  assert.equal(shouldStartAtBoot({ ...base, policy: policy('always'), manuallyStopped: true }), true);
  assert.equal(
    shouldStartAtBoot({ ...base, policy: policy('unless-stopped'), manuallyStopped: true }),
    false,
  );
});

test('nextDelay: doubles up to a minute and begins anew after a good run', () => {
  assert.deepEqual(
    [0, 100, 200, 40_000, 60_000].map((delay) => nextDelay(delay, 5)),
    [100, 200, 400, 60_000, 60_000],
  );
  assert.equal(nextDelay(60_000, 10_000), 100);
});
