import { isKind, unavailable } from '#/base/errors.ts';
import type { Repository } from '#/distribution/repository.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import type { ContentStore } from '#/storage/content/content-store.ts';
import type { PartialBlob } from '#/storage/content/partial-blob.ts';
import type { Slots } from './slots.ts';

/** What a download tells those who wait for it. None of these may throw. */
export interface DownloadEvents {
  /** Others have to end first. */
  waiting(): void;
  /** So many bytes are here, of the descriptor's size. */
  bytes(current: number): void;
  /** The last byte is here. */
  verifying(): void;
  complete(): void;
}

/** Where a blob comes from. */
export interface Origin {
  readonly repository: Repository;
  /** The repository's name, for messages. */
  readonly name: string;
}

/** What a download is made of. */
export interface DownloadParts {
  readonly content: ContentStore;
  readonly slots: Slots;
  readonly origin: Origin;
}

/** The download of one blob, from what an earlier one left of it. */
export class Download {
  readonly descriptor: Descriptor;
  /** Resolves when `partial` is there; rejects if it cannot be opened. */
  readonly opened: Promise<void>;
  /** Resolves when the blob is in the content store. Whoever wants it there must hold it before. */
  readonly done: Promise<void>;
  /** Resolves when nothing is open any more, however it went. */
  readonly ended: Promise<void>;
  readonly #parts: DownloadParts;
  readonly #abort = new AbortController();
  readonly #watchers = new Set<DownloadEvents>();
  readonly #opened = Promise.withResolvers<void>();
  readonly #done = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #partial: PartialBlob | undefined;
  #resumed = false;
  #disowned = false;
  #stage: 'waiting' | 'loading' | 'closing' = 'loading';

  constructor(descriptor: Descriptor, parts: DownloadParts) {
    this.descriptor = descriptor;
    this.#parts = parts;
    this.opened = this.#opened.promise;
    this.done = this.#done.promise;
    this.ended = this.#ended.promise;
    // Who is interested awaits them; it may be that nobody is left.
    this.opened.catch(() => {});
    this.done.catch(() => {});
  }

  /** What is here already, and grows. Throws before `opened`. */
  get partial(): PartialBlob {
    if (this.#partial === undefined) throw new Error('the download has not been opened');
    return this.#partial;
  }

  /** A part of it comes from an earlier download, which may be the one to blame if the digest is wrong. */
  get resumed(): boolean {
    return this.#resumed;
  }

  /** It came wrong from mirrors, which the repository will not ask again. */
  get disowned(): boolean {
    return this.#disowned;
  }

  /** Takes part; false if it is too late for that. */
  watch(events: DownloadEvents): boolean {
    if (this.#stage === 'closing') return false;
    this.#watchers.add(events);
    if (this.#stage === 'waiting') events.waiting();
    else if (this.#partial !== undefined) events.bytes(this.#partial.size);
    return true;
  }

  /** Takes no part any more; the last one ends the download and waits for that. */
  async leave(events: DownloadEvents): Promise<void> {
    this.#watchers.delete(events);
    if (this.#watchers.size > 0) return;
    this.#stage = 'closing';
    this.#abort.abort(new Error('nobody waits for the download any more'));
    await this.ended;
  }

  /** Runs it; `over` is called when nobody can take part any more. */
  begin(over: () => void): void {
    this.#run().then(
      () => {
        this.#close(over);
        this.#done.resolve();
      },
      (error: unknown) => {
        this.#close(over);
        this.#opened.reject(error);
        this.#done.reject(error);
      },
    );
  }

  async #run(): Promise<void> {
    const { content, slots, origin } = this.#parts;
    const { signal } = this.#abort;
    this.#partial = await content.partial(this.descriptor);
    try {
      this.#resumed = this.#partial.size > 0;
      this.#opened.resolve();
      using _slot = await slots.acquire({ signal, onWait: () => this.#waiting() });
      this.#stage = 'loading';
      await this.#load(this.#partial, origin, signal);
      this.#tell((events) => events.verifying());
      await this.#partial.complete();
      this.#stage = 'closing';
      this.#tell((events) => events.complete());
    } catch (error) {
      this.#stage = 'closing';
      if (isKind(error, 'invalid')) this.#disowned = origin.repository.disown(this.descriptor.digest);
      await this.#partial.close(error);
      throw error;
    }
  }

  async #load(partial: PartialBlob, { repository, name }: Origin, signal: AbortSignal): Promise<void> {
    if (partial.size >= this.descriptor.size) return;
    try {
      for await (const chunk of repository.download(this.descriptor, { start: partial.size, signal })) {
        await partial.append(chunk);
        this.#tell((events) => events.bytes(partial.size));
      }
    } catch (error) {
      if (!isKind(error, 'unavailable')) throw error;
      throw unavailable(`cannot download ${this.descriptor.digest} from ${name}: ${error.message}`, error);
    }
  }

  #waiting(): void {
    this.#stage = 'waiting';
    this.#tell((events) => events.waiting());
  }

  #tell(what: (events: DownloadEvents) => void): void {
    for (const events of this.#watchers) what(events);
  }

  #close(over: () => void): void {
    this.#stage = 'closing';
    over();
    this.#ended.resolve();
  }
}
