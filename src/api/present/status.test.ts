import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerState } from '#/engine/containers/model.ts';
import { presentState, statusText } from './status.ts';

const at = '2026-01-01T00:00:00.000000000Z';
const now = Date.parse(at) + 3 * 60_000;
const run = { init: { pid: 7, startTime: '1' }, monitor: { pid: 8, startTime: '1' }, startedAt: at };
const finished = { exitCode: 137, startedAt: at, finishedAt: at, oomKilled: true, error: '' };

test('statusText: the words of docker ps', () => {
  const cases: [ContainerState, string][] = [
    [{ kind: 'created', error: '', exitCode: 0 }, 'Created'],
    [{ kind: 'running', ...run }, 'Up 3 minutes'],
    [{ kind: 'paused', ...run }, 'Up 3 minutes (Paused)'],
    [{ kind: 'exited', ...finished }, 'Exited (137) 3 minutes ago'],
    [{ kind: 'restarting', ...finished }, 'Restarting (137) 3 minutes ago'],
    [{ kind: 'removing', last: undefined, volumes: false }, 'Removal In Progress'],
    [{ kind: 'dead', last: finished, error: 'busy' }, 'Dead'],
  ];
  for (const [state, text] of cases) assert.equal(statusText(state, undefined, now), text);
  const health = (Status: string): string =>
    statusText({ kind: 'running', ...run }, { Status, FailingStreak: 0, Log: [] }, now);
  assert.deepEqual(['starting', 'healthy', 'none'].map(health), [
    'Up 3 minutes (health: starting)',
    'Up 3 minutes (healthy)',
    'Up 3 minutes',
  ]);
});

test('presentState: Docker’s booleans', () => {
  const shown = (state: ContainerState): unknown[] => {
    const { Running, Paused, Restarting, Dead, OOMKilled, Pid, ExitCode } = presentState(state, undefined);
    return [Running, Paused, Restarting, Dead, OOMKilled, Pid, ExitCode];
  };
  assert.deepEqual(shown({ kind: 'running', ...run }), [true, false, false, false, false, 7, 0]);
  assert.deepEqual(shown({ kind: 'paused', ...run }), [true, true, false, false, false, 7, 0]);
  // As in Docker, a container that waits for its next start counts as running.
  assert.deepEqual(shown({ kind: 'restarting', ...finished }), [true, false, true, false, true, 0, 137]);
  assert.deepEqual(shown({ kind: 'dead', last: finished, error: 'x' }), [
    false,
    false,
    false,
    true,
    true,
    0,
    137,
  ]);
});

test('presentState: the error and exit code of a start that failed', () => {
  const { ExitCode, Error } = presentState(
    { kind: 'created', error: 'no such file', exitCode: 127 },
    undefined,
  );
  assert.deepEqual([ExitCode, Error], [127, 'no such file']);
});
