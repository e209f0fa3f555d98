import { setTimeout as sleep } from 'node:timers/promises';
import { isKind } from '#/base/errors.ts';
import { RegistryError } from './failures.ts';

/** How often and how patiently something is tried. */
export interface RetryOptions {
  /** At least 1. */
  readonly attempts: number;
  /** Before the second try, in milliseconds; it doubles each time, give or take a half of it by chance. */
  readonly delay: number;
  readonly signal: AbortSignal;
  /** Called before each further try with why, and with the milliseconds until then. */
  readonly onRetry?: ((error: unknown, delay: number) => void) | undefined;
}

/** The longest that one wait lasts, also if a registry asks for more; in milliseconds. */
const maxDelay = 60_000;

/** Nobody is there: people who ask for a name that does not exist should not have to wait for the answer. */
const unreachable: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
]);

/** Does `attempt` until it succeeds, fails for good, or has been tried often enough; then its last error is thrown. */
export async function withRetries<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  for (let number = 1; ; number += 1) {
    try {
      return await attempt();
    } catch (error) {
      options.signal.throwIfAborted();
      if (number >= options.attempts || !canPass(error) || isUnreachable(error)) throw error;
      await pause(error, number, options);
    }
  }
}

/** Waits before try `number` + 1. Throws the signal's reason. */
export async function pause(
  error: unknown,
  number: number,
  { delay, signal, onRetry }: RetryOptions,
): Promise<void> {
  const asked = error instanceof RegistryError ? error.retryAfter : undefined;
  const own = delay * 2 ** (number - 1) * (0.5 + Math.random());
  const wait = Math.min(asked ?? own, maxDelay);
  onRetry?.(error, wait);
  try {
    await sleep(wait, undefined, { signal });
  } catch (interruption) {
    signal.throwIfAborted();
    throw interruption;
  }
}

/** Tells whether trying again can help: the network, an overloaded registry. */
export function canPass(error: unknown): boolean {
  return error instanceof RegistryError ? error.isPassing : isKind(error, 'unavailable');
}

function isUnreachable(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && unreachable.has(String(cause.code))) return true;
  }
  return false;
}
