import { isAlive, lastRun } from './model.ts';
import type { ContainerParts } from './parts.ts';
import type { WaitCondition, WaitResult } from './waits.ts';

/** Resolves when the container meets the condition; at once for one that does not run, if that is what is waited for. */
export async function waitForContainer(
  parts: ContainerParts,
  ref: string,
  { condition, signal }: { condition: WaitCondition; signal: AbortSignal },
): Promise<WaitResult> {
  const { id, state } = parts.store.find(ref);
  const running = isAlive(state) || state.kind === 'restarting';
  if (condition === 'not-running' && !running) {
    return { exitCode: state.kind === 'created' ? state.exitCode : (lastRun(state)?.exitCode ?? 0) };
  }
  return parts.waits.wait(id, condition, { signal });
}
