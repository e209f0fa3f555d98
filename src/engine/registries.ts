import { internal, notFound } from '#/base/errors.ts';
import type { Credentials } from '#/distribution/credentials.ts';
import { pullFailure } from '#/distribution/failures.ts';
import type { RegistryClient } from '#/distribution/registry-client.ts';
import type { Repository } from '#/distribution/repository.ts';
import type { Digest } from '#/oci/digest.ts';
import { platformOf } from '#/oci/image-config.ts';
import { type Platform, platformRank } from '#/oci/platform.ts';
import {
  canonicalName,
  familiarName,
  familiarString,
  parseAnyReference,
  type Reference,
  withDefaultTag,
  withTag,
} from '#/oci/reference.ts';
import type { OnProgress } from '#/registry/client/progress.ts';
import { type PulledImage, type PullParts, pullImage } from '#/registry/client/pull.ts';
import { type ImagePush, type PushParts, pushImage, pushIndex } from '#/registry/client/push.ts';
import type { ImageRecord, NamedImage } from '#/storage/images/record.ts';
import type { Filters } from '#/wire/filters.ts';
import type { AuthResponse, DistributionInspect, SearchResult } from '#/wire/registry.ts';
import type { Events } from './events.ts';
import { indexDescriptor, partDescriptor } from './images/descriptors.ts';
import { inspectRemote } from './images/distribution.ts';
import { findFor, platformMismatch } from './images/find.ts';
import { contentToPush, tagsToPush } from './images/push-selection.ts';
import { registryFailure } from './images/registry-errors.ts';
import { searchFailure, searchFilter, searchLimit, splitTerm, wantsAutomated } from './images/search.ts';

/** Who asks, and until when the answer is wanted. */
interface Asker {
  readonly credentials: Credentials;
  readonly signal: AbortSignal;
}

/** How to pull or push. `platform` undefined is this machine's, or whatever the image is for. */
export interface TransferOptions extends Asker {
  readonly platform: Platform | undefined;
  /** Called at once and in order; the first call comes when nothing can be said by a status any more. */
  readonly onProgress: OnProgress;
}

/** What goes between this machine and registries. */
export class Registries {
  readonly #client: () => RegistryClient;
  readonly #parts: PullParts & PushParts;
  readonly #events: Events;

  /** `client` is asked each time: a reload of the configuration makes another one. */
  constructor(options: PullParts & PushParts & { client: () => RegistryClient; events: Events }) {
    const { client, events, ...parts } = options;
    this.#client = client;
    this.#parts = parts;
    this.#events = events;
  }

  /** Tells whether a registry accepts the credentials. `server` is a host or URL; empty is Docker Hub. */
  async login(server: string, { credentials, signal }: Asker): Promise<AuthResponse> {
    const { status, identityToken } = await explained(
      this.#client().login(domainOf(server), { credentials, signal }),
      registryFailure,
    );
    return { IdentityToken: identityToken, Status: status };
  }

  /** Searches one registry: the one that the term begins with, or Docker Hub. */
  async search(
    term: string,
    options: Asker & { limit: number | undefined; filters: Filters },
  ): Promise<SearchResult[]> {
    const limit = searchLimit(options.limit);
    const wanted = searchFilter(options.filters);
    if (wantsAutomated(options.filters)) return [];
    const { domain, text } = splitTerm(term);
    const found = await explained(this.#client().search(domain, text, { ...options, limit }), searchFailure);
    return found
      .map(({ name, description, starCount, isOfficial }) => ({
        star_count: starCount,
        is_official: isOfficial,
        name,
        is_automated: false,
        description,
      }))
      .filter(wanted);
  }

  /** What a name means at its registry, without pulling it. */
  async inspect(name: string, asker: Asker): Promise<DistributionInspect> {
    const reference = parseAnyReference(name);
    if (typeof reference === 'string') throw internal('no manifest found for full image ID');
    const complete = withDefaultTag(reference);
    const { content } = this.#parts;
    const repository = this.#repository(complete, asker, 'pull');
    return explained(inspectRemote({ repository, content }, complete, asker), registryFailure);
  }

  /** Pulls the image of a name, or with neither tag nor digest all tags of the repository. */
  async pull(reference: Reference, options: TransferOptions): Promise<void> {
    const { onProgress, platform } = options;
    const repository = this.#repository(reference, options, 'pull');
    const all = reference.tag === undefined && reference.digest === undefined;
    let changed = false;
    let image: ImageRecord | undefined;
    for await (const name of all ? tagsOf(repository, reference, options.signal) : [reference]) {
      const pulled = await this.#pullOne(repository, name, options);
      changed ||= pulled.changed;
      image = pulled.image;
    }
    if (image === undefined) throw notFound(`repository ${familiarName(reference)} has no tags`);
    const shown = familiarString(reference);
    const result = changed ? 'Downloaded newer image for' : 'Image is up to date for';
    onProgress({ kind: 'note', status: `Status: ${result} ${shown}` });
    if (!all && platform !== undefined) warnOfPlatform(image, { shown, platform, onProgress });
    this.#publish('pull', reference);
  }

  /**
   * Pushes what a tag names, or with no tag all tags of the repository. What `platform` rules out is refused before any
   * progress.
   */
  async push(reference: Reference, options: TransferOptions): Promise<void> {
    const { images } = this.#parts;
    const { onProgress, platform, signal } = options;
    if (platform !== undefined) findFor(images, familiarString(reference), platform);
    onProgress({ kind: 'note', status: `The push refers to repository [${canonicalName(reference)}]` });
    const tags = tagsToPush(images, reference);
    const repository = this.#repository(reference, options, 'pull,push');
    for (const { name, tag, named } of tags) {
      const target = { repository, name, tag, onProgress, signal };
      const digest = await explained(this.#pushOne(target, named, platform), registryFailure);
      if (digest !== undefined && images.named(named.id) !== undefined)
        images.name(named.id, { ...name, tag: undefined, digest });
    }
    this.#publish('push', reference);
  }

  /** Returns the digest by which the registry knows what the name stands for; undefined if only an image of an index was pushed. */
  async #pushOne(
    target: Omit<ImagePush, 'image' | 'manifest'>,
    named: NamedImage,
    platform: Platform | undefined,
  ): Promise<Digest | undefined> {
    const content = contentToPush(this.#parts.images, named, platform);
    if (content.kind === 'index') return pushIndex(this.#parts, { ...target, index: content.index });
    const { image, manifest, insteadOf } = content;
    if (insteadOf !== undefined) {
      const value = {
        manifestPushedInsteadOfIndex: true,
        originalIndex: indexDescriptor(insteadOf),
        selectedManifest: partDescriptor(insteadOf, image),
      };
      target.onProgress({ kind: 'result', value });
    }
    const digest = await pushImage(this.#parts, { ...target, image, manifest });
    return named.index === undefined ? digest : undefined;
  }

  async #pullOne(
    repository: Repository,
    reference: Reference,
    { platform, signal, onProgress }: TransferOptions,
  ): Promise<PulledImage> {
    // Until the registry has named the image, its refusals are about the name.
    let found = false;
    const note: OnProgress = (progress) => {
      found = true;
      onProgress(progress);
    };
    return explained(
      pullImage(this.#parts, { repository, reference, platform, signal, onProgress: note }),
      (error) => registryFailure(found ? error : pullFailure(error, reference)),
    );
  }

  #repository(reference: Reference, { credentials }: Asker, actions: 'pull' | 'pull,push'): Repository {
    return this.#client().repository(reference, { credentials, actions });
  }

  /** Docker says what was asked for, with the labels of the image that this means. */
  #publish(action: 'pull' | 'push', reference: Reference): void {
    const labels = this.#parts.images.byName(reference)?.image.config.config?.Labels;
    const attributes = { ...labels, name: familiarName(reference) };
    this.#events.publish({ type: 'image', action, actor: { id: familiarString(reference), attributes } });
  }
}

/** The registry had one image only, and it is for another platform than the one that was asked for. */
function warnOfPlatform(
  { config }: ImageRecord,
  { shown, platform, onProgress }: { shown: string; platform: Platform; onProgress: OnProgress },
): void {
  const own = platformOf(config);
  if (platformRank(platform, own) > 0) return;
  onProgress({ kind: 'note', status: `WARNING: ${platformMismatch(shown, own, platform)}` });
}

/** The result, or the error that `explain` makes of the one that came instead. */
async function explained<T>(work: Promise<T>, explain: (error: unknown) => unknown): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw explain(error);
  }
}

/** The host of a registry in what people write: `https://index.docker.io/v1/`, `reg.example:5000`. */
function domainOf(server: string): string {
  const host = server.replace(/^https?:\/\//, '').split('/')[0] ?? '';
  return ['', 'docker.io', 'index.docker.io', 'registry-1.docker.io'].includes(host) ? 'docker.io' : host;
}

/** All tags of a repository, as names. */
async function* tagsOf(
  repository: Repository,
  reference: Reference,
  signal: AbortSignal,
): AsyncGenerator<Reference> {
  const tags = repository.tags({ signal });
  for (;;) {
    const next = await explained(tags.next(), (error) => registryFailure(pullFailure(error, reference)));
    if (next.done === true) return;
    yield withTag(reference, next.value);
  }
}
