import { conflict, invalid } from '#/base/errors.ts';
import type { ClientSession } from './session.ts';

/** How long a build waits for the session that it names: clients open both at the same time. Milliseconds. */
const patience = 5_000;

/** The sessions that are open. */
export class Sessions {
  readonly #byId = new Map<string, ClientSession>();
  readonly #waiting = new Map<string, Set<() => void>>();

  /** Makes a session known until it is disposed of. */
  add(session: ClientSession): Disposable {
    const { id } = session.head;
    this.check(id);
    this.#byId.set(id, session);
    for (const wake of this.#waiting.get(id) ?? []) wake();
    return {
      [Symbol.dispose]: () => {
        if (this.#byId.get(id) === session) this.#byId.delete(id);
      },
    };
  }

  /** Throws `conflict` for an id that is taken. */
  check(id: string): void {
    if (this.#byId.has(id)) throw conflict(`session ${id} already exists`);
  }

  /** The session with this id, which may come a little later. `id` may have a prefix that ends with a colon. */
  async get(id: string, { signal }: { signal: AbortSignal }): Promise<ClientSession> {
    const name = id.slice(id.indexOf(':') + 1);
    const known = this.#byId.get(name);
    if (known !== undefined) return known;
    await this.#arrival(name, AbortSignal.any([signal, AbortSignal.timeout(patience)]));
    signal.throwIfAborted();
    const session = this.#byId.get(name);
    if (session === undefined) throw invalid(`no active session for ${JSON.stringify(name)}`);
    return session;
  }

  async #arrival(id: string, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting.add(resolve));
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
    await promise;
    waiting.delete(resolve);
    if (waiting.size === 0) this.#waiting.delete(id);
  }
}
