import type { OutputFrame, ProcessStreams } from '#/runtime/output-queue.ts';
import { DetachKeys } from './detach-keys.ts';

/** Output that is read at the reader's pace: while nobody asks for the next batch, the source is paused. */
export type Output = AsyncIterable<readonly OutputFrame[]>;

/** The standard streams of a process as one client sees them. Disposing of it leaves the process alone. */
export interface StdioSession extends AsyncDisposable {
  /** With a terminal everything comes as stdout. */
  readonly tty: boolean;
  /** Ends when the process has ended and everything was read, or when the detach keys were typed. Read it once. */
  readonly output: Output;
  /** Gives bytes to stdin; resolves when there is room for more, and at once if stdin is not attached or closed. */
  write(data: Uint8Array): Promise<void>;
  /** The client will send no more. */
  closeStdin(): void;
}

/** How a client wants to see a process. */
export interface StdioOptions {
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** What to type to leave; only on terminals. */
  readonly detachKeys: Buffer | undefined;
  /** A half-closed stdin of the client means end of file for the process. */
  readonly passOnEof: boolean;
  /** Leaving would close the process's stdin although this client has nothing to do with it: then it stays until the end. */
  readonly keepOpen: boolean;
  /** Where output comes from, if not from the session: then the session serves stdin only. */
  readonly source?: Output | undefined;
  readonly onDetach: () => void;
  /** Output goes on until this settles, too: who then asks for the exit code gets it. */
  readonly ended?: Promise<void>;
}

/** A client's streams over a connection to the monitor, which may come about later: at the container's start. */
export class SessionStdio implements StdioSession {
  readonly #session: Promise<ProcessStreams | undefined>;
  readonly #options: StdioOptions;
  readonly #detachKeys: DetachKeys | undefined;
  /** As `#session`, for those who need not know why there is none. */
  readonly #opened: Promise<ProcessStreams | undefined>;
  readonly #leaving = new Leaving();
  #stdin: Promise<unknown> = Promise.resolve();

  constructor(session: Promise<ProcessStreams | undefined>, options: StdioOptions) {
    this.#session = session;
    this.#options = options;
    this.#detachKeys = options.tty && options.stdin ? new DetachKeys(options.detachKeys) : undefined;
    this.#opened = session.catch(() => undefined);
  }

  get tty(): boolean {
    return this.#options.tty;
  }

  get output(): Output {
    return this.#options.source === undefined ? this.#own() : this.#fromSource(this.#options.source);
  }

  async write(data: Uint8Array): Promise<void> {
    if (!this.#options.stdin) return;
    const passed = this.#detachKeys?.pass(data) ?? { data, detached: false };
    if (passed.data.length > 0) {
      const session = await this.#session;
      const written = session?.write(passed.data) ?? Promise.resolve(false);
      this.#stdin = written.catch(() => undefined);
      await written;
    }
    if (passed.detached) {
      this.#options.onDetach();
      this.#leaving.leave();
    }
  }

  closeStdin(): void {
    if (!this.#options.stdin || !this.#options.passOnEof) return;
    void this.#stdin.then(async () => (await this.#opened)?.closeStdin());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#leaving.leave();
    // Without waiting: a container that was never started may never give a session.
    void this.#opened.then((session) => {
      if (session === undefined) return;
      if (this.#options.keepOpen) drain(session);
      else session[Symbol.dispose]();
    });
  }

  async *#own(): AsyncGenerator<readonly OutputFrame[], void, undefined> {
    const session = await this.#leaving.race(this.#session);
    if (session === undefined) return;
    const { stdout, stderr } = this.#options;
    const frames = session.output();
    for (;;) {
      const next = await this.#leaving.race(frames.next());
      if (next === undefined) return;
      if (next.done === true) {
        await this.#leaving.race(this.#options.ended ?? Promise.resolve());
        return;
      }
      const wanted = next.value.filter(({ stream }) => (stream === 'stdout' ? stdout : stderr));
      if (wanted.length > 0) yield wanted;
    }
  }

  async *#fromSource(source: Output): AsyncGenerator<readonly OutputFrame[], void, undefined> {
    // What comes from the session as well was logged, and is in the source.
    void this.#opened.then((session) => {
      if (session !== undefined) drain(session);
    });
    const iterator = source[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#leaving.race(iterator.next());
        if (next === undefined || next.done === true) return;
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  }
}

/** Reads and drops output, so that the process is not held up. Why the reading ends is nobody's business here. */
function drain(session: ProcessStreams): void {
  const read = async (): Promise<void> => {
    using _session = session;
    for await (const _frames of session.output());
  };
  void read().catch(() => undefined);
}

/**
 * Ends waiting when the client leaves. Not a promise to race with: each race would add a reaction to that one promise,
 * and they would pile up for as long as the client stays.
 */
class Leaving {
  #left = false;
  #wake: (() => void) | undefined;

  leave(): void {
    this.#left = true;
    this.#wake?.();
  }

  /** The value of `promise`; undefined if the client leaves first. One at a time. */
  race<T>(promise: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      this.#wake = () => resolve(undefined);
      promise.then(resolve, reject);
      if (this.#left) resolve(undefined);
    });
  }
}
