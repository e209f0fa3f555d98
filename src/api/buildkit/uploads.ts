import { invalid } from '#/base/errors.ts';
import type { ArchiveContext } from '#/builder/context/archive-contexts.ts';

/** How long an archive and the build that is to use it wait for each other. Milliseconds. */
const patience = 10_000;

/** Where an archive and a build meet. */
interface Meeting {
  readonly archive: PromiseWithResolvers<ArchiveContext>;
  readonly taken: PromiseWithResolvers<true>;
}

/** Archives that come in a request of their own, for a build in another one. */
export class Uploads {
  readonly #meetings = new Map<string, Meeting>();

  /** Gives an archive to the build with this id, which owns it then. Throws `invalid` if there is none. */
  async give(id: string, archive: ArchiveContext, { signal }: { signal: AbortSignal }): Promise<void> {
    const { taken, archive: offered } = this.#meeting(id);
    offered.resolve(archive);
    if ((await inTime(taken.promise, signal)) !== undefined) return;
    this.#meetings.delete(id);
    await archive[Symbol.asyncDispose]();
    throw invalid(`no build with the id ${JSON.stringify(id)} has asked for an archive`);
  }

  /** The archive for a build, which may come a little later; it is the caller's. */
  async take(id: string, { signal }: { signal: AbortSignal }): Promise<ArchiveContext> {
    const { archive, taken } = this.#meeting(id);
    const given = await inTime(archive.promise, signal);
    this.#meetings.delete(id);
    signal.throwIfAborted();
    if (given === undefined) throw invalid(`no archive came for the build with the id ${JSON.stringify(id)}`);
    taken.resolve(true);
    return given;
  }

  #meeting(id: string): Meeting {
    const known = this.#meetings.get(id);
    if (known !== undefined) return known;
    const meeting = {
      archive: Promise.withResolvers<ArchiveContext>(),
      taken: Promise.withResolvers<true>(),
    };
    this.#meetings.set(id, meeting);
    return meeting;
  }
}

/** What is promised, or undefined if that takes too long or the signal aborts. */
async function inTime<T>(promised: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const { promise: over, resolve } = Promise.withResolvers<undefined>();
  const end = (): void => resolve(undefined);
  const timer = setTimeout(end, patience);
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  try {
    return await Promise.race([promised, over]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  }
}
