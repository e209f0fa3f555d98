import { KeyedLocks } from '#/base/locks.ts';
import type { Digest } from '#/oci/digest.ts';
import { tooLarge } from '../errors.ts';
import type { BlobLinks, Metadata } from '../metadata/metadata.ts';

/** Links that keep repositories from having more than so many bytes of blobs. */
class LimitedLinks implements BlobLinks {
  readonly #inner: BlobLinks;
  readonly #most: number;
  /** By repository: two blobs that come at once must not both find the same room. */
  readonly #locks = new KeyedLocks();

  constructor(inner: BlobLinks, most: number) {
    this.#inner = inner;
    this.#most = most;
  }

  size(repository: string, digest: Digest): Promise<number | undefined> {
    return this.#inner.size(repository, digest);
  }

  total(repository: string): Promise<number> {
    return this.#inner.total(repository);
  }

  holders(digest: Digest, limit: number): Promise<string[]> {
    return this.#inner.holders(digest, limit);
  }

  async link(repository: string, blob: { readonly digest: Digest; readonly size: number }): Promise<void> {
    using _held = await this.#locks.acquire(repository);
    await this.#check(repository, blob);
    await this.#inner.link(repository, blob);
  }

  async mount(repository: string, digest: Digest, from: string): Promise<number | undefined> {
    using _held = await this.#locks.acquire(repository);
    const size = await this.#inner.size(from, digest);
    if (size !== undefined) await this.#check(repository, { digest, size });
    return await this.#inner.mount(repository, digest, from);
  }

  unlink(repository: string, digest: Digest): Promise<boolean> {
    return this.#inner.unlink(repository, digest);
  }

  touch(repository: string, digest: Digest): Promise<void> {
    return this.#inner.touch(repository, digest);
  }

  async #check(repository: string, { digest, size }: { digest: Digest; size: number }): Promise<void> {
    if ((await this.#inner.size(repository, digest)) !== undefined) return;
    const total = await this.#inner.total(repository);
    if (total + size <= this.#most) return;
    throw tooLarge(
      `repository "${repository}" may have ${this.#most} bytes of blobs; it has ${total}, and this one has ${size} more`,
    );
  }
}

/** The same metadata with that limit; undefined for none. */
export function withRepositoryLimit(metadata: Metadata, most: number | undefined): Metadata {
  if (most === undefined) return metadata;
  const { manifests, uploads, unused } = metadata;
  return {
    links: new LimitedLinks(metadata.links, most),
    manifests,
    uploads,
    unused,
    repositories: (page) => metadata.repositories(page),
    hasRepository: (repository) => metadata.hasRepository(repository),
    [Symbol.asyncDispose]: () => metadata[Symbol.asyncDispose](),
  };
}
