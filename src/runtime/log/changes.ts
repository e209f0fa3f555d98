import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** When to stop waiting for changes of a log. */
export interface ChangesOptions {
  /** When it settles, nothing more is written. */
  readonly finished: Promise<unknown>;
  /** Nanoseconds since 1970: when it is over, too. */
  readonly until: bigint | undefined;
  readonly signal: AbortSignal;
}

/** Tells when a log may have grown, was replaced, or will not change any more. */
export class Changes implements Disposable {
  readonly #watcher: FSWatcher;
  readonly #signal: AbortSignal;
  readonly #wakeUp = (): void => this.#notify();
  readonly #timer: NodeJS.Timeout | undefined;
  #pending = false;
  #renamed = false;
  #ended = false;
  #wake: (() => void) | undefined;
  #failure: Error | undefined;

  constructor(path: string, { finished, signal, until }: ChangesOptions) {
    const name = basename(path);
    this.#signal = signal;
    this.#watcher = watch(dirname(path), (event, changed) => {
      if (changed !== null && changed !== name) return;
      if (event === 'rename') this.#renamed = true;
      this.#notify();
    });
    this.#watcher.on('error', (error) => {
      this.#failure = error;
      this.#notify();
    });
    signal.addEventListener('abort', this.#wakeUp, { once: true });
    const end = (): void => {
      this.#ended = true;
      this.#notify();
    };
    finished.then(end, end);
    const left = until === undefined ? Number.POSITIVE_INFINITY : Number(until / 1_000_000n) - Date.now();
    // setTimeout takes no more; nobody waits for 24 days.
    if (left <= 0x7fffffff) this.#timer = setTimeout(end, Math.max(left, 0));
  }

  /** Nothing more is to come: what is there now is all. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Tells whether the name of the log has come to mean another file, perhaps, since the last call. */
  takeRenamed(): boolean {
    const renamed = this.#renamed;
    this.#renamed = false;
    return renamed;
  }

  /** Resolves at the next change, at once if there was one since the last call. */
  async next(): Promise<void> {
    if (!this.#pending) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#pending = false;
    if (this.#failure !== undefined) throw this.#failure;
  }

  #notify(): void {
    this.#pending = true;
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#signal.removeEventListener('abort', this.#wakeUp);
    this.#watcher.close();
  }
}
