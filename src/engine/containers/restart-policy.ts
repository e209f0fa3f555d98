import type { RestartPolicy } from '#/wire/containers.ts';

/** What the decision to start again rests on. */
export interface RestartFacts {
  readonly policy: RestartPolicy;
  readonly exitCode: number;
  /** Starts by the policy so far, since somebody last asked for a start. */
  readonly restartCount: number;
  /** Somebody asked for the container to stop. */
  readonly manuallyStopped: boolean;
}

const firstDelay = 100;
const longestDelay = 60_000;
/** A run this long was a success: the next delay begins anew. Milliseconds. */
const goodRun = 10_000;

/** Whether a container whose process ended is started again. */
export function shouldRestart({ policy, exitCode, restartCount, manuallyStopped }: RestartFacts): boolean {
  if (manuallyStopped) return false;
  switch (policy.Name) {
    case 'always':
    case 'unless-stopped':
      return true;
    case 'on-failure':
      return exitCode !== 0 && (policy.MaximumRetryCount === 0 || restartCount < policy.MaximumRetryCount);
    default:
      return false;
  }
}

/** Whether a container that is found stopped when the daemon starts is started: `always` even if it was stopped by request. */
export function shouldStartAtBoot(facts: RestartFacts): boolean {
  if (facts.policy.Name === 'always') return true;
  return shouldRestart(facts);
}

/** Milliseconds until the next start, from the previous delay and how long the run lasted (milliseconds). */
export function nextDelay(previous: number, ranFor: number): number {
  if (previous === 0 || ranFor >= goodRun) return firstDelay;
  return Math.min(previous * 2, longestDelay);
}
