import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError, isKind } from '#/base/errors.ts';
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

/** All that is waited between the tries at one thing that brings nothing, also if a registry asks for more; in milliseconds. */
const maxWaits = 60_000;

/**
 * Nobody is there, or somebody whom nobody vouches for: people who ask for a name that does not exist should not have to wait for
 * the answer.
 */
const hopeless: ReadonlySet<string> = new Set([
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPROTO',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** Does `attempt` until it succeeds, fails for good, or has been tried often enough; then its last error is thrown. */
export async function withRetries<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const tries = new Tries(options);
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      options.signal.throwIfAborted();
      if (!canPass(error) || isHopeless(error)) throw error;
      await tries.again(error);
    }
  }
}

/** Tries at one thing: so many, with so much time between them and no more. */
export class Tries {
  readonly #options: RetryOptions;
  #failed = 0;
  #waited = 0;

  constructor(options: RetryOptions) {
    this.#options = options;
  }

  /** How many have failed in a row. */
  get failed(): number {
    return this.#failed;
  }

  /** The next failure counts as the first: something was achieved. */
  restart(): void {
    this.#failed = 0;
    this.#waited = 0;
  }

  /** Waits before the next try, because of `error`. If there is to be none it throws that, with the number of tries; or the signal's reason. */
  async again(error: unknown): Promise<void> {
    const { attempts, delay, signal, onRetry } = this.#options;
    this.#failed += 1;
    if (this.#failed >= attempts) throw this.#failed === 1 ? error : givenUp(error, this.#words());
    const asked = error instanceof RegistryError ? error.retryAfter : undefined;
    const wait = asked ?? delay * 2 ** (this.#failed - 1) * (0.5 + Math.random());
    if (this.#waited + wait > maxWaits) {
      throw givenUp(error, `${this.#words()}: the next one is wanted in ${seconds(wait)} s only`);
    }
    this.#waited += wait;
    onRetry?.(error, wait);
    try {
      await sleep(wait, undefined, { signal });
    } catch (interruption) {
      signal.throwIfAborted();
      throw interruption;
    }
  }

  #words(): string {
    const time = this.#waited < 1000 ? '' : ` within ${seconds(this.#waited)} s`;
    return `gave up after ${this.#failed} ${this.#failed === 1 ? 'try' : 'tries'}${time}`;
  }
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds / 1000);
}

/** The error with more words, and with the request if it does not say that. */
function givenUp(error: unknown, words: string): unknown {
  if (!(error instanceof EngineError)) return error;
  if (!(error instanceof RegistryError))
    return new EngineError(error.kind, `${error.message} (${words})`, { cause: error });
  const { asked = '' } = error;
  const request = error.message.includes(asked) ? '' : `${asked}: `;
  return new RegistryError(error.kind, `${error.message} (${request}${words})`, error);
}

/** Tells whether trying again can help: the network, an overloaded registry. */
export function canPass(error: unknown): boolean {
  return error instanceof RegistryError ? error.isPassing : isKind(error, 'unavailable');
}

function isHopeless(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const code = 'code' in cause ? String(cause.code) : '';
    // The two sides do not speak the same language, or one of them wants a certificate.
    if (hopeless.has(code) || code.startsWith('ERR_SSL_')) return true;
  }
  return false;
}
