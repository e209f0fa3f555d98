import { randomUUID } from 'node:crypto';
import { messageOf } from '#/base/errors.ts';
import type { Logger } from '#/base/log.ts';
import { algorithmOf, type Digest } from '#/oci/digest.ts';
import type { Services } from '../services.ts';
import { Spool } from './spool.ts';
import type { Upstream } from './upstream.ts';

/** What is fetched. */
export interface Wanted {
  readonly upstream: Upstream;
  /** Our name of the repository. */
  readonly repository: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** A blob that is being fetched. */
export interface Flight {
  readonly spool: Spool;
  /** Resolves when the blob is verified and kept; rejects with what went wrong. */
  readonly kept: Promise<void>;
}

/**
 * Fetches blobs from upstreams, each once however many ask for it, into a spool which the storage and all clients read. A
 * fetch goes on when its clients have gone: the next one will ask again.
 */
export class BlobFlights implements AsyncDisposable {
  readonly #services: Services;
  readonly #folder: string;
  readonly #log: Logger;
  readonly #flights = new Map<string, Promise<Flight>>();
  readonly #running = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  readonly #onKept: (blob: Wanted) => Promise<void>;

  /** `onKept` is called when a blob was stored. */
  constructor(
    services: Services,
    { folder, log, onKept }: { folder: string; log: Logger; onKept: (blob: Wanted) => Promise<void> },
  ) {
    this.#services = services;
    this.#folder = folder;
    this.#log = log;
    this.#onKept = onKept;
  }

  /** The fetch of this blob that is under way, or a new one; it can be over when this returns. */
  async join(wanted: Wanted): Promise<Flight> {
    const key = `${wanted.repository} ${wanted.digest}`;
    const running = this.#flights.get(key);
    if (running !== undefined) return await running;
    const starting = this.#begin(wanted, key);
    this.#flights.set(key, starting);
    starting.catch(() => this.#flights.delete(key));
    return await starting;
  }

  /** How many are under way. */
  get size(): number {
    return this.#flights.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the registry is being stopped'));
    await Promise.all(this.#running);
  }

  async #begin(wanted: Wanted, key: string): Promise<Flight> {
    const spool = await Spool.create(this.#folder, randomUUID());
    const kept = this.#fetch(wanted, spool);
    const finished = kept
      .catch((error: unknown) => {
        const { repository, digest } = wanted;
        this.#log.warn('cannot keep a blob', { repository, digest, problem: messageOf(error) });
      })
      .then(async () => {
        this.#flights.delete(key);
        await spool.release();
      })
      .finally(() => this.#running.delete(finished));
    this.#running.add(finished);
    return { spool, kept };
  }

  async #fetch(wanted: Wanted, spool: Spool): Promise<void> {
    const storing = this.#store(wanted, spool);
    // It is awaited below, but can fail before.
    storing.catch(() => undefined);
    try {
      const { upstream, repository, digest, size } = wanted;
      const descriptor = { mediaType: 'application/octet-stream', digest, size };
      const { signal } = this.#stop;
      for await (const chunk of upstream.repository(repository).download(descriptor, { signal })) {
        await spool.write(chunk);
      }
      spool.end();
    } catch (error) {
      spool.end(error instanceof Error ? error : new Error(messageOf(error)));
    }
    await storing;
    await this.#onKept(wanted);
  }

  /** The storage is a reader like others; what it keeps was verified. */
  async #store({ repository, digest, size }: Wanted, spool: Spool): Promise<void> {
    const { uploads } = this.#services;
    await using bytes = spool.follow({ start: 0, end: size, signal: this.#stop.signal });
    if (bytes === undefined) throw new Error('a spool was gone before its blob was stored');
    const id = await uploads.begin(repository, algorithmOf(digest));
    const quiet = { cutOff: () => undefined, check: () => undefined };
    try {
      await uploads.append(repository, id, { source: bytes, ...quiet });
      await uploads.finish(repository, id, { source: nothing(), digest, ...quiet });
    } catch (error) {
      await uploads.drop(id);
      throw error;
    }
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
