import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '#/base/errors.ts';
import type { Logger } from '#/base/log.ts';
import type { Digest } from '#/oci/digest.ts';
import { parseRange } from '../byte-range.ts';
import type { Call } from '../call.ts';
import type { CacheConfig } from '../config/edges.ts';
import { blobUnknown, denied } from '../errors.ts';
import { checkDigest, checkRepository, parseManifestReference } from '../names.ts';
import type { Place } from '../router.ts';
import type { Services } from '../services.ts';
import { BlobFlights, type Wanted } from './blob-flights.ts';
import { CacheRecords } from './cache-records.ts';
import { CachedLists } from './cached-lists.ts';
import { CachedManifests } from './cached-manifests.ts';
import { Eviction } from './eviction.ts';
import { isAbsentUpstream, Upstream, upstreamFailure } from './upstream.ts';

/** What a cache is made of. */
export interface PullThroughInput {
  readonly caches: readonly CacheConfig[];
  readonly services: Services;
  /** Folder of what this process keeps for itself. */
  readonly data: string;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

const patience = 30_000;

/**
 * Pull-through caches beside local repositories. A request for something of an upstream first brings our copy up to date;
 * then it is answered as for any repository, and by the same rules. Blobs that are not here yet are sent on while they come.
 * Nothing is ever pushed to an upstream.
 */
export class PullThrough implements AsyncDisposable {
  readonly #input: PullThroughInput;
  readonly #upstreams: readonly Upstream[];
  readonly #records: CacheRecords;
  readonly #manifests: CachedManifests;
  readonly #lists: CachedLists;
  readonly #flights: BlobFlights;
  readonly #eviction: Eviction;
  readonly #now: () => number;

  private constructor(input: PullThroughInput) {
    const { caches, services, data, log, now = Date.now } = input;
    this.#input = input;
    this.#now = now;
    // The longest prefix first; the empty one last.
    this.#upstreams = caches
      .map((config) => new Upstream(config))
      .sort((a, b) => b.config.prefix.length - a.config.prefix.length);
    this.#records = new CacheRecords(join(data, 'cache.db'));
    this.#manifests = new CachedManifests({ services, records: this.#records, log, now });
    this.#lists = new CachedLists({ manifests: this.#manifests, records: this.#records, log, now });
    this.#eviction = new Eviction(services, this.#records);
    this.#flights = new BlobFlights(services, {
      folder: spoolFolder(data),
      log,
      onKept: (blob) => this.#kept(blob),
    });
  }

  /** Opens the caches; spools of a process that died go. */
  static async open(input: PullThroughInput): Promise<PullThrough> {
    await rm(spoolFolder(input.data), { recursive: true, force: true });
    return new PullThrough(input);
  }

  /** How many blobs are being fetched. */
  get fetching(): number {
    return this.#flights.size;
  }

  /**
   * Prepares the answer to a request: returns the place that is then served from here, or undefined if it was answered. With
   * `ns`, which some clients send to mirrors, the repository is the one of that registry.
   */
  async prepare(call: Call, place: Place): Promise<Place | undefined> {
    if (!('repository' in place)) return place;
    const upstream = await this.#upstreamFor(place.repository, call.query.get('ns'));
    if (upstream === undefined) return place;
    const ns = call.query.get('ns');
    const repository = ns === null ? place.repository : checkRepository(upstream.localName(place.repository));
    const local: Place = { ...place, repository };
    const isRead = call.method === 'GET' || call.method === 'HEAD';
    if (!isRead && call.method !== 'DELETE') return this.#refusePush(call, local, upstream);
    if (local.kind === 'manifest' && isRead) {
      call.require('pull', repository);
      await this.#manifests.refresh(upstream, repository, parseManifestReference(local.last));
    } else if (local.kind === 'blob' && isRead) {
      call.require('pull', repository);
      if (await this.#answerBlob(call, { upstream, repository, digest: checkDigest(local.last) }))
        return undefined;
    }
    if (local.kind === 'tags' && isRead)
      return await this.#lists.answerTags(call, { upstream, place: local });
    if (local.kind === 'referrers' && isRead) {
      call.require('pull', repository);
      await this.#lists.prepareReferrers(upstream, repository, checkDigest(local.last));
    }
    return local;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#flights[Symbol.asyncDispose]();
    for (const upstream of this.#upstreams) upstream[Symbol.dispose]();
    this.#records[Symbol.dispose]();
  }

  async #upstreamFor(repository: string, ns: string | null): Promise<Upstream | undefined> {
    const named =
      ns === null
        ? undefined
        : this.#upstreams.find(({ domain, config }) => domain === ns || config.upstream.host === ns);
    if (named !== undefined) return named;
    const upstream = this.#upstreams.find((each) => each.covers(repository));
    if (upstream === undefined || upstream.config.prefix !== '') return upstream;
    // What was pushed here is ours, even if an upstream has something of that name.
    const isLocal =
      !this.#records.owns(repository, '') && (await this.#input.services.metadata.hasRepository(repository));
    return isLocal ? undefined : upstream;
  }

  async #refusePush(call: Call, place: Place & { repository: string }, upstream: Upstream): Promise<Place> {
    const { prefix } = upstream.config;
    call.require('push', place.repository);
    // Below an empty prefix there is room for repositories of our own.
    if (prefix === '' && !this.#records.owns(place.repository, '')) return place;
    throw denied(`repository "${place.repository}" is a copy from ${upstream.domain}; push to another name`);
  }

  /** Answers a request for a blob that is not here; false if it is here now. */
  async #answerBlob(call: Call, { upstream, repository, digest }: Omit<Wanted, 'size'>): Promise<boolean> {
    const { links } = this.#input.services.metadata;
    const here = await links.size(repository, digest);
    if (here !== undefined) {
      this.#used(upstream, { repository, digest, size: here });
      return false;
    }
    const size = await this.#sizeUpstream(call, { upstream, repository, digest });
    if (call.method === 'GET' && (await this.#linkStored(upstream, { repository, digest, size })))
      return false;
    const range = call.method === 'HEAD' ? undefined : parseRange(call.request.headers.range, size);
    const { start, end } = range ?? { start: 0, end: size - 1 };
    const headers = {
      'Docker-Content-Digest': digest,
      ETag: `"${digest}"`,
      'Accept-Ranges': 'bytes',
      'Content-Type': 'application/octet-stream',
      'Content-Length': end - start + 1,
      ...(range === undefined ? {} : { 'Content-Range': `bytes ${start}-${end}/${size}` }),
    };
    if (call.method === 'HEAD') {
      call.response.writeHead(200, headers).end();
      return true;
    }
    const isSent = await this.#sendOn(call, {
      wanted: { upstream, repository, digest, size },
      headers,
      start,
      end,
      isPart: range !== undefined,
    });
    // The fetch was just over: it is here, or a new fetch begins.
    if (!isSent) return await this.#answerBlob(call, { upstream, repository, digest });
    const { actor } = call;
    this.#input.services.observer.observe({ kind: 'blobPulled', repository, digest, size, actor });
    return true;
  }

  /** Sends the blob while it comes; the last bytes only when it was verified, so that nobody takes a false one for whole. */
  async #sendOn(call: Call, { wanted, headers, start, end, isPart }: Sending): Promise<boolean> {
    const { response, signal } = call;
    const { spool, kept } = await this.#flights.join(wanted);
    await using bytes = spool.follow({ start, end: end + 1, signal });
    if (bytes === undefined) return false;
    let held: Uint8Array | undefined;
    for await (const piece of bytes) {
      if (held !== undefined) await this.#write(call, held, { headers, isPart });
      held = piece;
    }
    await kept;
    if (held !== undefined) await this.#write(call, held, { headers, isPart });
    else response.writeHead(isPart ? 206 : 200, headers);
    response.end();
    return true;
  }

  async #write(
    call: Call,
    piece: Uint8Array,
    { headers, isPart }: Pick<Sending, 'headers' | 'isPart'>,
  ): Promise<void> {
    const { response, signal } = call;
    // Only now, so that an upstream that fails at once still gets a proper answer.
    if (!response.headersSent) response.writeHead(isPart ? 206 : 200, headers);
    if (response.write(piece)) return;
    await new Promise<void>((resolve, reject) => {
      signal.throwIfAborted();
      const onAbort = (): void => reject(signal.reason as Error);
      signal.addEventListener('abort', onAbort, { once: true });
      response.once('drain', () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      });
    });
  }

  async #sizeUpstream(call: Call, { upstream, repository, digest }: Omit<Wanted, 'size'>): Promise<number> {
    let size: number | undefined;
    try {
      const signal = AbortSignal.any([call.signal, AbortSignal.timeout(patience)]);
      size = await upstream.repository(repository).hasBlob(digest, { signal });
    } catch (error) {
      if (!isAbsentUpstream(error)) throw upstreamFailure(upstream, error);
    }
    if (size === undefined) throw blobUnknown(digest);
    return size;
  }

  /** The upstream lets us have the blob, and another repository has brought it here already. */
  async #linkStored(
    upstream: Upstream,
    blob: { repository: string; digest: Digest; size: number },
  ): Promise<boolean> {
    const { services } = this.#input;
    using _held = await services.blobLocks.acquire(blob.digest);
    if ((await services.storage.size(blob.digest)) !== blob.size) return false;
    await services.metadata.links.link(blob.repository, blob);
    this.#used(upstream, blob);
    return true;
  }

  #used({ config }: Upstream, blob: { repository: string; digest: Digest; size: number }): void {
    this.#records.own(blob.repository, config.prefix);
    this.#records.use(blob, this.#now());
  }

  async #kept({ upstream, ...blob }: Wanted): Promise<void> {
    this.#used(upstream, blob);
    try {
      await this.#eviction.run(upstream.config, blob);
    } catch (error) {
      this.#input.log.error('cannot make room in a cache', {
        cache: upstream.config.prefix,
        problem: messageOf(error),
      });
    }
  }
}

interface Sending {
  readonly wanted: Wanted;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly start: number;
  readonly end: number;
  readonly isPart: boolean;
}

function spoolFolder(data: string): string {
  return join(data, 'spool');
}
