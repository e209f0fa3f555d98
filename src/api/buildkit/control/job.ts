import { randomUUID } from 'node:crypto';
import type { StatusResponse } from '../messages/control_pb.ts';
import type { SolveInput } from './build-request.ts';
import type { ProgressFeed } from './progress-feed.ts';

/**
 * How long the answer to a build waits for a client that reads slowly what it is told of the build, or not at all.
 * Milliseconds.
 */
const patience = 60_000;

/** What a client that drives a build itself says at the end: which of its results it wants, or why there is none. */
export type Returned =
  | { readonly kind: 'result'; readonly result: string }
  /** Some clients only want to know whether they could. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'failure'; readonly error: Error };

/** A result that a client was promised: what to build for it is known, and is built when it is needed. */
export interface PromisedResult {
  readonly attributes: ReadonlyMap<string, string>;
  /** Results of other builds that this one uses, by the names that its attributes give them. */
  readonly inputs: ReadonlyMap<string, string>;
}

/** A build under way, or one that ended a while ago. */
export class Job {
  readonly ref: string;
  readonly feed: ProgressFeed;
  readonly startedAt: Date = new Date();
  /** What the client asked for, without secrets: those come by the session. */
  readonly input: SolveInput;
  readonly #returned = Promise.withResolvers<Returned>();
  readonly #results = new Map<string, PromisedResult>();
  /** Calls that follow the build, each until it has ended. */
  readonly #followers = new Set<Promise<void>>();

  constructor(input: SolveInput, feed: ProgressFeed) {
    this.ref = input.ref;
    this.input = input;
    this.feed = feed;
    // Whoever waits hears of it; a client that never returns anything must not be an unhandled failure.
    this.#returned.promise.catch(() => {});
  }

  /** Tells a call, whose signal aborts when it ends, of the build from its beginning. */
  follow({ signal }: { readonly signal: AbortSignal }): AsyncGenerator<StatusResponse> {
    const ended = once(signal);
    this.#followers.add(ended);
    void ended.then(() => this.#followers.delete(ended));
    return this.feed.follow({ signal });
  }

  /**
   * Waits until all who follow the build have received the end of what there is to tell: BuildKit's clients give a build up as
   * cancelled that is still being told of three seconds after its answer.
   */
  async told({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
    await Promise.race([Promise.all(this.#followers), once(limit)]);
  }

  /** Promises a result; gives its name, which no other build's has. */
  promise(result: PromisedResult): string {
    const id = `${this.ref}/${randomUUID()}`;
    this.#results.set(id, result);
    return id;
  }

  /** What was promised under a name. */
  promised(id: string): PromisedResult | undefined {
    return this.#results.get(id);
  }

  /** The client has decided. */
  return(returned: Returned): void {
    this.#returned.resolve(returned);
  }

  /** What the client decides. */
  get returned(): Promise<Returned> {
    return this.#returned.promise;
  }
}

/** Resolves when the signal aborts. */
function once(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  if (signal.aborted) resolve();
  return promise;
}
