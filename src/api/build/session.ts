import type { Duplex } from 'node:stream';
import { unlessAborted } from '#/base/abort.ts';
import { invalid, tooLarge, unavailable } from '#/base/errors.ts';
import type { StatusSink } from '#/builder/progress.ts';
import type { BuildContext, ContextTree } from '#/builder/request.ts';

/** Things of one session, far more than a build has. */
const maxParts = 200;
/** Connections that wait under one name. */
const maxWaiting = 16;

/** Files that a client has sent, until the session ends. */
export interface SentContext extends AsyncDisposable {
  open(): Promise<ContextTree>;
}

/** Between two reports of what has come of a context. Milliseconds. */
const reportInterval = 200;

/** Of a terminal, in characters. */
export interface TerminalSize {
  readonly height: number;
  readonly width: number;
}

/** Files whose content is to come. */
export interface PendingFiles extends AsyncDisposable {
  /** Takes the content; gives the files when all of it is there. */
  receive(bytes: AsyncIterable<Uint8Array>, onBytes: (bytes: number) => void): Promise<SentContext>;
}

/**
 * What one client brings to one build besides the request: contexts, and connections to its agents and outputs. They come in
 * requests of their own, before or after the build's, and whoever needs one waits for it.
 */
export class BuildSession implements AsyncDisposable {
  readonly #contexts = new Map<string, PromiseWithResolvers<SentContext>>();
  readonly #waiting = new Map<string, Duplex[]>();
  readonly #wanted = new Map<string, PromiseWithResolvers<Duplex>[]>();
  readonly #sent = new Map<string, SentContext>();
  readonly #pending = new Map<string, PendingFiles>();
  /** Bytes that have come of contexts; those that have been told of are gone. */
  readonly #transferred = new Map<string, number>();
  readonly #followers = new Set<(size: TerminalSize) => void>();
  #size: TerminalSize | undefined;
  #end: Error | undefined;

  /** A context under the name that the client has for it: its files may still come. */
  context(name: string): BuildContext {
    return {
      name,
      open: async (_wish, { signal, progress }) => {
        using _reports = this.#reportTransfer(name, progress);
        const context = await unlessAborted(this.#comingContext(name).promise, signal);
        return await context.open();
      },
    };
  }

  /** So much more of a context has come. */
  addTransferred(name: string, bytes: number): void {
    this.#transferred.set(name, (this.#transferred.get(name) ?? 0) + bytes);
  }

  /** Files of a context have been listed, and their content is to come. Throws `invalid` if they have been already. */
  async addPending(name: string, files: PendingFiles): Promise<void> {
    if (this.#end !== undefined || this.#sent.has(name) || this.#pending.has(name)) {
      await files[Symbol.asyncDispose]();
      throw this.#end ?? invalid(`the context ${JSON.stringify(name)} has been listed already`);
    }
    this.#limit(this.#pending, name);
    this.#pending.set(name, files);
  }

  /** Files whose content comes now. Throws `invalid` if none have been listed. */
  takePending(name: string): PendingFiles {
    const files = this.#pending.get(name);
    if (files === undefined) throw invalid(`no files of the context ${JSON.stringify(name)} are wanted`);
    this.#pending.delete(name);
    return files;
  }

  /** The files of a context have come. Throws `invalid` if it has come already. */
  async addContext(name: string, context: SentContext): Promise<void> {
    if (this.#end !== undefined || this.#sent.has(name)) {
      await context[Symbol.asyncDispose]();
      throw this.#end ?? invalid(`the context ${JSON.stringify(name)} has come already`);
    }
    this.#sent.set(name, context);
    this.#comingContext(name).resolve(context);
  }

  /** The files of a context will not come. */
  failContext(name: string, error: unknown): void {
    if (this.#end === undefined) this.#comingContext(name).reject(error);
  }

  /** A connection that the client offers. Whoever waits for one of that name gets it. */
  addStream(name: string, stream: Duplex): void {
    if (this.#end !== undefined) throw this.#end;
    const taker = this.#wanted.get(name)?.shift();
    if (taker !== undefined) {
      taker.resolve(stream);
      return;
    }
    const waiting = this.#waiting.get(name) ?? [];
    if (waiting.length >= maxWaiting)
      throw tooLarge(`more than ${maxWaiting} connections wait as ${JSON.stringify(name)}`);
    this.#limit(this.#waiting, name);
    waiting.push(stream);
    this.#waiting.set(name, waiting);
    stream.once('close', () => {
      const at = waiting.indexOf(stream);
      if (at >= 0) waiting.splice(at, 1);
    });
  }

  /** A connection of the client's, when there is one. */
  takeStream(name: string, signal: AbortSignal): Promise<Duplex> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const stream = this.#waiting.get(name)?.shift();
    if (stream !== undefined) return Promise.resolve(stream);
    const wanted = Promise.withResolvers<Duplex>();
    this.#wanted.set(name, [...(this.#wanted.get(name) ?? []), wanted]);
    return unlessAborted(wanted.promise, signal);
  }

  /** The client's terminal has this size now. */
  resize(size: TerminalSize): void {
    this.#size = size;
    for (const follow of this.#followers) follow(size);
  }

  /** The size that the client has told last. */
  get terminalSize(): TerminalSize | undefined {
    return this.#size;
  }

  /** Calls `follow` with each new size until disposed of. */
  followSize(follow: (size: TerminalSize) => void): Disposable {
    this.#followers.add(follow);
    return { [Symbol.dispose]: () => void this.#followers.delete(follow) };
  }

  /** Ends it: whoever waits is told, connections that nobody took are closed, files are removed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end ??= unavailable('the session of the build has ended');
    for (const coming of this.#contexts.values()) coming.reject(this.#end);
    for (const takers of this.#wanted.values()) for (const taker of takers) taker.reject(this.#end);
    for (const streams of this.#waiting.values()) for (const stream of streams) stream.destroy();
    const owned = [...this.#sent.values(), ...this.#pending.values()];
    this.#sent.clear();
    this.#pending.clear();
    for (const files of owned) await files[Symbol.asyncDispose]();
  }

  /** Tells now and then, and at the end, how much of a context has come since it was told last. */
  #reportTransfer(name: string, progress: StatusSink): Disposable {
    const started = new Date();
    const tell = (end: { completed?: Date } = {}): void => {
      const current = this.#transferred.get(name) ?? 0;
      if (current > 0) progress({ id: 'transferring context:', current, total: 0, started, ...end });
    };
    const timer = setInterval(tell, reportInterval);
    return {
      [Symbol.dispose]: () => {
        clearInterval(timer);
        tell({ completed: new Date() });
        this.#transferred.delete(name);
      },
    };
  }

  #comingContext(name: string): PromiseWithResolvers<SentContext> {
    const known = this.#contexts.get(name);
    if (known !== undefined) return known;
    this.#limit(this.#contexts, name);
    const coming = Promise.withResolvers<SentContext>();
    // Perhaps nobody waits for it.
    coming.promise.catch(() => {});
    this.#contexts.set(name, coming);
    return coming;
  }

  #limit(parts: ReadonlyMap<string, unknown>, name: string): void {
    if (parts.size >= maxParts && !parts.has(name))
      throw tooLarge(`a session has more than ${maxParts} parts`);
  }
}
