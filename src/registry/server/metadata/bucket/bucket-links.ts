import { unavailable } from '#/base/errors.ts';
import type { Digest } from '#/oci/digest.ts';
import type { Bucket } from '../../storage/s3/bucket.ts';
import type { BlobLinks } from '../metadata.ts';
import { decodeName, digestAtEnd, digestPath, holderKey, linkKey, nameKey, repositoryKey } from './keys.ts';

/** Keeps a blob in the storage: its pointer is written anew; false if it is gone. */
export type Renew = (digest: Digest) => Promise<boolean>;

/**
 * `BlobLinks` as objects. A link is written before the mark of its holder, and after both the blob's pointer is renewed.
 * Whoever takes a mark away looks at the link afterwards, and whoever removes a blob has read its pointer before the
 * marks: so either they see what was written here, or we see what they did.
 */
export class BucketLinks implements BlobLinks {
  readonly #bucket: Bucket;
  readonly #renew: Renew;

  constructor(bucket: Bucket, renew: Renew) {
    this.#bucket = bucket;
    this.#renew = renew;
  }

  async size(repository: string, digest: Digest): Promise<number | undefined> {
    const link = await this.#bucket.get(linkKey(repository, digest));
    return link === undefined ? undefined : parseLink(link.bytes);
  }

  async total(repository: string): Promise<number> {
    let total = 0;
    for await (const { key, size } of this.#bucket.list({ prefix: repositoryKey(repository, '_links') })) {
      if (size > 0) total += (await this.size(repository, digestAtEnd(key))) ?? 0;
    }
    return total;
  }

  async holders(digest: Digest, limit: number): Promise<string[]> {
    const found: string[] = [];
    const prefix = `holders/${digestPath(digest)}/`;
    for await (const { key } of this.#bucket.list({ prefix })) {
      const repository = decodeName(key.slice(prefix.length));
      if ((await this.size(repository, digest)) === undefined) continue;
      if (found.push(repository) >= limit) break;
    }
    return found;
  }

  async link(
    repository: string,
    { digest, size }: { readonly digest: Digest; readonly size: number },
  ): Promise<void> {
    const key = linkKey(repository, digest);
    for (let attempt = 1; attempt <= 10; attempt += 1) {
      await this.#bucket.put(nameKey(repository), '');
      const etag = await this.#bucket.put(key, linkText(size));
      await this.#bucket.put(holderKey(digest, repository), '');
      if (await this.#renew(digest)) {
        // Somebody else who linked it before it was there again may just have taken the link away.
        if ((await this.size(repository, digest)) !== undefined) return;
        continue;
      }
      await this.#bucket.put(key, '', { etag: etag ?? '' });
      await this.dropHolder(repository, digest);
      if (await this.#renew(digest)) continue;
      break;
    }
    throw unavailable(`blob "${digest}" was removed as unused while it was pushed; push it again`);
  }

  async mount(repository: string, digest: Digest, from: string): Promise<number | undefined> {
    const size = await this.size(from, digest);
    if (size === undefined) return undefined;
    await this.link(repository, { digest, size });
    return size;
  }

  async unlink(repository: string, digest: Digest): Promise<boolean> {
    if ((await this.size(repository, digest)) === undefined) return false;
    await this.#bucket.put(linkKey(repository, digest), '');
    await this.dropHolder(repository, digest);
    return true;
  }

  async touch(repository: string, digest: Digest): Promise<void> {
    const key = linkKey(repository, digest);
    const link = await this.#bucket.get(key);
    const size = link === undefined ? undefined : parseLink(link.bytes);
    // If it has changed meanwhile, it is either gone or renewed.
    if (link !== undefined && size !== undefined)
      await this.#bucket.put(key, linkText(size), { etag: link.etag });
  }

  /** Takes the mark of a holder away whose link is gone, unless it is back. */
  async dropHolder(repository: string, digest: Digest): Promise<void> {
    await this.#bucket.remove(holderKey(digest, repository));
    if ((await this.size(repository, digest)) !== undefined)
      await this.#bucket.put(holderKey(digest, repository), '');
  }
}

/** Another version each time, also where versions are named by their content. */
export function linkText(size: number): string {
  return JSON.stringify({ size, written: crypto.randomUUID() });
}

/** The bytes of the blob; undefined: the link is gone. */
export function parseLink(bytes: Buffer): number | undefined {
  if (bytes.length === 0) return undefined;
  return (JSON.parse(bytes.toString()) as { size: number }).size;
}
