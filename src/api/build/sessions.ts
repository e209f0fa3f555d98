import { invalid, tooLarge } from '#/base/errors.ts';
import { BuildSession } from './session.ts';

/** How long a session without a build is kept. Milliseconds. */
const patience = 60_000;
const maxSessions = 1000;

interface Entry {
  readonly session: BuildSession;
  /** Ends it, as long as no build uses it. */
  timer: NodeJS.Timeout | undefined;
}

/** The sessions of clients that build in Skiff's own way. */
export class BuildSessions implements AsyncDisposable {
  readonly #entries = new Map<string, Entry>();

  /** The session of that name, a new one if there is none. Throws `invalid` for a name that could be guessed. */
  get(id: string): BuildSession {
    return this.#entry(id).session;
  }

  /** The session for a build; it ends with the build. */
  join(id: string): BuildSession & AsyncDisposable {
    const entry = this.#entry(id);
    if (entry.timer === undefined) throw invalid(`the session ${JSON.stringify(id)} has a build already`);
    clearTimeout(entry.timer);
    entry.timer = undefined;
    return entry.session;
  }

  /** Ends a session. */
  async end(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    clearTimeout(entry?.timer);
    await entry?.session[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of this.#entries.keys()) await this.end(id);
  }

  #entry(id: string): Entry {
    const known = this.#entries.get(id);
    if (known !== undefined) return known;
    if (!/^[0-9a-f]{32}$/.test(id))
      throw invalid('the parameter session must be 32 random hexadecimal digits');
    if (this.#entries.size >= maxSessions)
      throw tooLarge(`there are ${maxSessions} sessions of builds already`);
    const timer = setTimeout(() => void this.end(id), patience).unref();
    const entry: Entry = { session: new BuildSession(), timer };
    this.#entries.set(id, entry);
    return entry;
  }
}
