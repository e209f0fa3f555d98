import type { Digest } from '#/oci/digest.ts';
import type { Bucket, S3Entry } from '../../storage/s3/bucket.ts';
import type { S3BlobStorage } from '../../storage/s3/s3-storage.ts';
import type { CollectOptions, Unused, UnusedBlob } from '../metadata.ts';
import { type BucketLinks, linkText, parseLink } from './bucket-links.ts';
import { decodeName, digestAtEnd, digestPath, linkKey, manifestKey, nameKey, repositoryKey } from './keys.ts';

/** Milliseconds after which the empty objects that say that something is gone go too. */
const tombstoneAge = 24 * 3600 * 1000;
/** Milliseconds by which an object can be younger than the service says, in whole seconds. */
const resolution = 1000;

/** What `BucketUnused` looks at. */
export interface UnusedInput {
  readonly bucket: Bucket;
  readonly links: BucketLinks;
  readonly storage: Pick<S3BlobStorage, 'blobs' | 'prepareRemoval'>;
  /** Milliseconds for which a blob that nothing links is left alone: another process may be about to link it. */
  readonly settle: number;
}

/** `Unused` over the objects of a bucket; one process should collect at a time, but nothing is lost if several do. */
export class BucketUnused implements Unused {
  readonly #input: UnusedInput;

  constructor(input: UnusedInput) {
    this.#input = input;
  }

  async *dropLinks(options: CollectOptions): AsyncGenerator<UnusedBlob, void, undefined> {
    for await (const repository of this.#repositories()) {
      await this.#dropUses(repository, options);
      for await (const entry of this.#input.bucket.list({ prefix: repositoryKey(repository, '_links') })) {
        const unused = await this.#dropLink(repository, entry, options);
        if (unused !== undefined) yield unused;
      }
    }
  }

  async *blobs(): AsyncGenerator<UnusedBlob, void, undefined> {
    for await (const { digest, size, modified } of this.#input.storage.blobs()) {
      if (modified + this.#input.settle > Date.now()) continue;
      if (!(await this.#isHeld(digest))) yield { digest, size, repository: undefined };
    }
  }

  async claim(digest: Digest): Promise<boolean> {
    // First the version of the blob that may go: whoever links it from now on makes another one.
    await this.#input.storage.prepareRemoval(digest);
    return !(await this.#isHeld(digest));
  }

  /** Nothing is known of a blob but what its repositories have and its pointer, which is gone. */
  async forget(): Promise<void> {}

  /** Whatever has a pointer is known. */
  async knows(): Promise<boolean> {
    return true;
  }

  async dropRepositories(): Promise<void> {
    for await (const repository of this.#repositories()) {
      if (await this.#hasContent(repository)) continue;
      await this.#input.bucket.remove(nameKey(repository));
      // Names are written before content: whoever pushes now has either written content already or writes the name later.
      if (await this.#hasContent(repository)) await this.#input.bucket.put(nameKey(repository), '');
    }
  }

  async #dropLink(
    repository: string,
    { key, size, etag, modified }: S3Entry,
    { before, dryRun }: CollectOptions,
  ): Promise<UnusedBlob | undefined> {
    const { bucket, links } = this.#input;
    if (modified + resolution > before) return undefined;
    if (size === 0) {
      if (!dryRun && modified < Date.now() - tombstoneAge) await bucket.remove(key, etag);
      return undefined;
    }
    const digest = digestAtEnd(key);
    if (await this.#isUsed(repository, digest)) return undefined;
    const link = await bucket.get(key);
    const bytes = link === undefined || link.etag !== etag ? undefined : parseLink(link.bytes);
    if (bytes === undefined) return undefined;
    const unused: UnusedBlob = { digest, size: bytes, repository };
    if (dryRun) return unused;
    if ((await bucket.put(key, '', { etag })) === undefined) return undefined;
    // A manifest that was pushed meanwhile has seen the link, or we see its mark.
    if (await this.#isUsed(repository, digest)) {
      await bucket.put(linkKey(repository, digest), linkText(bytes));
      return undefined;
    }
    await links.dropHolder(repository, digest);
    return unused;
  }

  /** Marks of manifests that never came, or are gone. */
  async #dropUses(repository: string, { before, dryRun }: CollectOptions): Promise<void> {
    if (dryRun) return;
    const { bucket } = this.#input;
    for await (const { key, modified } of bucket.list({ prefix: repositoryKey(repository, '_uses') })) {
      if (modified + resolution > before || (await this.#hasManifest(repository, key))) continue;
      await bucket.remove(key);
      if (await this.#hasManifest(repository, key)) await bucket.put(key, '');
    }
    for await (const { key, size, modified, etag } of bucket.list({
      prefix: repositoryKey(repository, '_manifests'),
    })) {
      if (size === 0 && modified < Date.now() - tombstoneAge) await bucket.remove(key, etag);
    }
  }

  async #hasManifest(repository: string, useKeyOfIt: string): Promise<boolean> {
    const size = await this.#input.bucket.size(manifestKey(repository, digestAtEnd(useKeyOfIt)));
    return size !== undefined && size > 0;
  }

  async #isUsed(repository: string, blob: Digest): Promise<boolean> {
    return await this.#hasAny(`${repositoryKey(repository, '_uses')}${digestPath(blob)}/`);
  }

  async #isHeld(blob: Digest): Promise<boolean> {
    return await this.#hasAny(`holders/${digestPath(blob)}/`);
  }

  async #hasContent(repository: string): Promise<boolean> {
    for (const kind of ['_tags', '_manifests', '_links'] as const) {
      for await (const { size } of this.#input.bucket.list({
        prefix: repositoryKey(repository, kind),
        page: 100,
      })) {
        if (size > 0) return true;
      }
    }
    return false;
  }

  async #hasAny(prefix: string): Promise<boolean> {
    for await (const _entry of this.#input.bucket.list({ prefix, page: 1 })) return true;
    return false;
  }

  async *#repositories(): AsyncGenerator<string, void, undefined> {
    for await (const { key } of this.#input.bucket.list({ prefix: 'names/' }))
      yield decodeName(key.slice('names/'.length));
  }
}
