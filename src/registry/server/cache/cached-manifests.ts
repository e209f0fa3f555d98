import { messageOf } from '#/base/errors.ts';
import type { Logger } from '#/base/log.ts';
import { isRefusal } from '#/distribution/registry-client.ts';
import type { FetchedManifest } from '#/distribution/repository.ts';
import { readPushedManifest } from '../manifest-document.ts';
import type { ManifestName } from '../metadata/metadata.ts';
import type { Services } from '../services.ts';
import type { CacheRecords } from './cache-records.ts';
import { isAbsentUpstream, type Upstream, upstreamFailure } from './upstream.ts';

/** Milliseconds for which an upstream that is away is not asked for the same tag again. */
const pauseWhenAway = 30_000;
const patience = 30_000;

/** What `CachedManifests` works with. */
export interface CachedManifestsInput {
  readonly services: Services;
  readonly records: CacheRecords;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Keeps copies of an upstream's manifests. A tag is compared with the upstream's when its time is over; while the upstream is
 * away, what was there last is served. A manifest that is asked for by its digest never has to be asked for twice.
 */
export class CachedManifests {
  readonly #input: CachedManifestsInput;
  /** By repository and reference: those who ask at the same time wait for one answer. */
  readonly #running = new Map<string, Promise<void>>();

  constructor(input: CachedManifestsInput) {
    this.#input = input;
  }

  /** Brings our copy up to date; if there is no such manifest, then there is none afterwards. */
  async refresh(upstream: Upstream, repository: string, name: ManifestName): Promise<void> {
    const key = `${repository} ${'tag' in name ? name.tag : name.digest}`;
    const running =
      this.#running.get(key) ??
      ('tag' in name
        ? this.#refreshTag(upstream, repository, name.tag)
        : this.#fetchOnce(upstream, repository, name));
    this.#running.set(key, running);
    try {
      await running;
    } finally {
      this.#running.delete(key);
    }
  }

  async #refreshTag(upstream: Upstream, repository: string, tag: string): Promise<void> {
    const { services, records, log, now } = this.#input;
    const { manifests } = services.metadata;
    const known = await manifests.get(repository, { tag });
    if (known !== undefined && records.checked(repository, tag) > now() - upstream.config.ttl) return;
    const source = upstream.repository(repository);
    try {
      const signal = AbortSignal.timeout(patience);
      const head = await source.head(tag, { signal });
      if (head === undefined) await manifests.deleteTag(repository, tag);
      else if (head.digest !== known?.digest) {
        // By its digest, so that what is kept under the tag is what was compared.
        const local = await manifests.get(repository, { digest: head.digest });
        const fetched =
          local === undefined
            ? await source.manifest(head.digest, { signal })
            : { descriptor: { ...head, mediaType: local.mediaType }, bytes: local.content };
        await this.#keep(upstream, repository, { fetched, tags: [tag] });
      }
      records.own(repository, upstream.config.prefix);
      records.check(repository, tag, now());
    } catch (error) {
      if (isAbsentUpstream(error) && !isRefusal(error, 401)) {
        await manifests.deleteTag(repository, tag);
        return;
      }
      if (known !== undefined) {
        log.warn('a tag is served as it was, because its upstream does not answer', {
          repository,
          tag,
          upstream: upstream.domain,
          problem: messageOf(error),
        });
        records.own(repository, upstream.config.prefix);
        records.check(
          repository,
          tag,
          now() - upstream.config.ttl + Math.min(pauseWhenAway, upstream.config.ttl),
        );
        return;
      }
      if (!isAbsentUpstream(error)) throw upstreamFailure(upstream, error);
    }
  }

  async #fetchOnce(
    upstream: Upstream,
    repository: string,
    name: ManifestName & { digest: string },
  ): Promise<void> {
    if ((await this.#input.services.metadata.manifests.get(repository, name)) !== undefined) return;
    try {
      const signal = AbortSignal.timeout(patience);
      const fetched = await upstream.repository(repository).manifest(name.digest, { signal });
      await this.#keep(upstream, repository, { fetched, tags: [] });
    } catch (error) {
      if (!isAbsentUpstream(error)) throw upstreamFailure(upstream, error);
    }
  }

  async #keep(
    upstream: Upstream,
    repository: string,
    { fetched, tags }: { fetched: FetchedManifest; tags: readonly string[] },
  ): Promise<void> {
    const { descriptor, bytes } = fetched;
    const manifest = readPushedManifest({
      content: bytes,
      mediaType: descriptor.mediaType,
      digest: descriptor.digest,
    });
    // Its blobs come when somebody asks for them, so none must be there yet; until then they are what may follow.
    const references = manifest.references.map(({ digest }) => ({ digest, kind: 'manifest' as const }));
    await this.#input.services.metadata.manifests.put(repository, { ...manifest, references }, tags);
    this.#input.records.own(repository, upstream.config.prefix);
  }
}
