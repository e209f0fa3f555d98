import type { Duplex } from 'node:stream';
import { unlessAborted } from '#/base/abort.ts';
import { invalid, tooLarge, unavailable } from '#/base/errors.ts';
import type { BuildContext } from '#/builder/request.ts';

/** Things of one session, far more than a build has. */
const maxParts = 200;
/** Connections that wait under one name. */
const maxWaiting = 16;

/** Files that a client has sent, until the session ends. */
export interface SentContext extends BuildContext, AsyncDisposable {}

/**
 * What one client brings to one build besides the request: contexts, and connections to its agents and outputs. They come in
 * requests of their own, before or after the build's, and whoever needs one waits for it.
 */
export class BuildSession implements AsyncDisposable {
  readonly #contexts = new Map<string, PromiseWithResolvers<SentContext>>();
  readonly #waiting = new Map<string, Duplex[]>();
  readonly #wanted = new Map<string, PromiseWithResolvers<Duplex>[]>();
  readonly #sent = new Map<string, SentContext>();
  #end: Error | undefined;

  /** A context under the name that the client has for it: its files may still come. */
  context(name: string): BuildContext {
    return {
      name,
      open: async (wish, options) => {
        const context = await unlessAborted(this.#comingContext(name).promise, options.signal);
        return context.open(wish, options);
      },
    };
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

  /** Ends it: whoever waits is told, connections that nobody took are closed, files are removed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end ??= unavailable('the session of the build has ended');
    for (const coming of this.#contexts.values()) coming.reject(this.#end);
    for (const takers of this.#wanted.values()) for (const taker of takers) taker.reject(this.#end);
    for (const streams of this.#waiting.values()) for (const stream of streams) stream.destroy();
    const sent = [...this.#sent.values()];
    this.#sent.clear();
    for (const context of sent) await context[Symbol.asyncDispose]();
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
