import { unavailable } from '#/base/errors.ts';
import type { Digest } from '#/oci/digest.ts';
import type { Bucket } from '../../storage/s3/bucket.ts';
import type {
  DeleteCondition,
  ManifestName,
  ManifestRecord,
  ManifestSummary,
  Manifests,
  Page,
  Referrer,
  ReferrersPage,
  StoredManifest,
  TagRecord,
} from '../metadata.ts';
import type { BucketLinks } from './bucket-links.ts';
import {
  digestAtEnd,
  digestPath,
  leaseKey,
  manifestKey,
  nameKey,
  referrerKey,
  repositoryKey,
  tagKey,
  useKey,
} from './keys.ts';

/** A manifest as an object holds it; the content in base64. */
type Kept = Omit<ManifestRecord, 'content'> & { readonly content: string };

interface Found {
  readonly kept: Kept;
  readonly etag: string;
  readonly modified: number;
}

/**
 * `Manifests` as objects. Before a manifest is written, marks say that it uses its blobs, and then the links are looked at;
 * whoever takes a link away looks at the marks afterwards. Marks are taken away only of manifests that are gone, and then the
 * manifest is looked at again, as whoever writes it looks at its marks again. A tag is one object, so the last push of a tag wins.
 */
export class BucketManifests implements Manifests {
  readonly #bucket: Bucket;
  readonly #links: BucketLinks;

  constructor(bucket: Bucket, links: BucketLinks) {
    this.#bucket = bucket;
    this.#links = links;
  }

  async put(repository: string, manifest: ManifestRecord, tags: readonly string[]): Promise<Digest[]> {
    const { digest, subject } = manifest;
    const blobs = manifest.references
      .filter(({ kind }) => kind === 'blob')
      .map((reference) => reference.digest);
    await this.#bucket.put(nameKey(repository), '');
    await this.#markUses(repository, blobs, digest);
    const missing = await this.#missing(repository, blobs);
    // The marks of a manifest that does not come go when garbage is collected.
    if (missing.length > 0) return missing;
    // Before the manifest: a referrer that is found but not there is left out, one that is there is always found.
    if (subject !== undefined) {
      await this.#bucket.put(referrerKey(repository, subject, digest), JSON.stringify(referrerOf(manifest)));
    }
    const kept: Kept & { written: string } = {
      ...manifest,
      content: manifest.content.toString('base64'),
      written: crypto.randomUUID(),
    };
    await this.#bucket.put(manifestKey(repository, digest), JSON.stringify(kept));
    const lost = await this.#secureUses(repository, blobs, digest);
    if (lost.length > 0) {
      await this.delete(repository, digest);
      return lost;
    }
    for (const tag of tags) await this.#bucket.put(tagKey(repository, tag), tagText(digest));
    return [];
  }

  async get(repository: string, reference: ManifestName): Promise<StoredManifest | undefined> {
    const digest =
      'digest' in reference ? reference.digest : (await this.#tag(repository, reference.tag))?.digest;
    const found = digest === undefined ? undefined : await this.#find(repository, digest);
    if (found === undefined) return undefined;
    const { kept } = found;
    return { digest: kept.digest, mediaType: kept.mediaType, content: Buffer.from(kept.content, 'base64') };
  }

  async delete(repository: string, digest: Digest, condition?: DeleteCondition): Promise<boolean> {
    for (let attempt = 1; attempt <= 10; attempt += 1) {
      const found = await this.#find(repository, digest);
      if (found === undefined) return false;
      if (condition !== undefined && !(await this.#mayGo(repository, found, condition))) return false;
      const written = await this.#bucket.put(manifestKey(repository, digest), '', { etag: found.etag });
      // It was pushed again meanwhile: look again.
      if (written === undefined) continue;
      await this.#forget(repository, found.kept);
      return true;
    }
    throw unavailable(`manifest "${digest}" is pushed again and again while it should be deleted`);
  }

  async touch(repository: string, digest: Digest): Promise<void> {
    await this.#bucket.put(leaseKey(repository, digest), '');
  }

  async referrers(repository: string, subject: Digest, page: ReferrersPage): Promise<Referrer[]> {
    const prefix = `${repositoryKey(repository, '_referrers')}${digestPath(subject)}/`;
    const after = page.after === undefined ? {} : { after: `${prefix}${page.after.replace(':', '/')}` };
    const found: Referrer[] = [];
    for await (const { key } of this.#bucket.list({ prefix, ...after })) {
      if (found.length >= page.limit) break;
      const object = await this.#bucket.get(key);
      if (object === undefined || object.bytes.length === 0) continue;
      const referrer = JSON.parse(object.bytes.toString()) as Referrer;
      if (page.artifactType !== undefined && referrer.artifactType !== page.artifactType) continue;
      if ((await this.#find(repository, digestAtEnd(key))) !== undefined) found.push(referrer);
    }
    return found;
  }

  async tags(repository: string, { after, limit }: Page): Promise<string[]> {
    const prefix = repositoryKey(repository, '_tags');
    const found: string[] = [];
    const from = after === undefined || after === '' ? {} : { after: `${prefix}${after}` };
    for await (const { key } of this.#bucket.list({ prefix, ...from, page: Math.min(limit, 1000) || 1 })) {
      if (found.length >= limit) break;
      found.push(key.slice(prefix.length));
    }
    return found;
  }

  async deleteTag(repository: string, tag: string, unchanged?: Omit<TagRecord, 'name'>): Promise<boolean> {
    const found = await this.#tag(repository, tag);
    if (found === undefined) return false;
    const isChanged =
      unchanged !== undefined &&
      (found.digest !== unchanged.digest || (found.pushed ?? unchanged.pushed) !== unchanged.pushed);
    if (isChanged) return false;
    await this.#bucket.remove(tagKey(repository, tag), found.etag);
    return true;
  }

  async tagRecords(repository: string): Promise<TagRecord[]> {
    const prefix = repositoryKey(repository, '_tags');
    const records: TagRecord[] = [];
    for await (const { key, modified } of this.#bucket.list({ prefix })) {
      const name = key.slice(prefix.length);
      const tag = await this.#tag(repository, name);
      if (tag !== undefined) records.push({ name, digest: tag.digest, pushed: tag.pushed ?? modified });
    }
    return records;
  }

  async summaries(repository: string): Promise<ManifestSummary[]> {
    const tagged = new Set((await this.tagRecords(repository)).map(({ digest }) => digest));
    const leases = new Map<string, number>();
    for await (const { key, modified } of this.#bucket.list({
      prefix: repositoryKey(repository, '_leases'),
    })) {
      leases.set(digestAtEnd(key), modified);
    }
    const all: ManifestSummary[] = [];
    for await (const { key, size } of this.#bucket.list({
      prefix: repositoryKey(repository, '_manifests'),
    })) {
      const digest = digestAtEnd(key);
      const found = size === 0 ? undefined : await this.#find(repository, digest);
      if (found === undefined) continue;
      const { references, subject } = found.kept;
      all.push({
        digest,
        subject,
        children: references.filter(({ kind }) => kind === 'manifest').map((reference) => reference.digest),
        isTagged: tagged.has(digest),
        touched: Math.max(found.modified, leases.get(digest) ?? 0),
      });
    }
    return all;
  }

  async #mayGo(
    repository: string,
    { kept, modified }: Found,
    { untouchedSince }: DeleteCondition,
  ): Promise<boolean> {
    const lease = await this.#bucket.get(leaseKey(repository, kept.digest));
    if (Math.max(modified, lease?.modified ?? 0) >= untouchedSince) return false;
    return (await this.tagRecords(repository)).every(({ digest }) => digest !== kept.digest);
  }

  /** Takes away what hangs on a manifest that is gone. */
  async #forget(repository: string, { digest, subject, references }: Kept): Promise<void> {
    for (const { name, ...found } of (await this.tagRecords(repository)).filter(
      (tag) => tag.digest === digest,
    )) {
      await this.deleteTag(repository, name, found);
    }
    if (subject !== undefined) await this.#bucket.remove(referrerKey(repository, subject, digest));
    await this.#bucket.remove(leaseKey(repository, digest));
    for (const reference of references) {
      if (reference.kind === 'blob') await this.#bucket.remove(useKey(repository, reference.digest, digest));
    }
    // Whoever has pushed it again meanwhile looks at the marks after the manifest, we at the manifest after the marks.
    const back = await this.#find(repository, digest);
    if (back !== undefined) await this.#restore(repository, back.kept);
  }

  async #markUses(repository: string, blobs: readonly Digest[], manifest: Digest): Promise<void> {
    await Promise.all(blobs.map((blob) => this.#bucket.put(useKey(repository, blob, manifest), '')));
  }

  /** Blobs of a manifest that is there now whose marks, and then links, went while it was written. */
  async #secureUses(repository: string, blobs: readonly Digest[], manifest: Digest): Promise<Digest[]> {
    const marks = await Promise.all(
      blobs.map((blob) => this.#bucket.size(useKey(repository, blob, manifest))),
    );
    const unmarked = blobs.filter((_blob, index) => marks[index] === undefined);
    await this.#markUses(repository, unmarked, manifest);
    return await this.#missing(repository, unmarked);
  }

  async #missing(repository: string, blobs: readonly Digest[]): Promise<Digest[]> {
    const sizes = await Promise.all(blobs.map((blob) => this.#links.size(repository, blob)));
    return [...new Set(blobs.filter((_blob, index) => sizes[index] === undefined))];
  }

  async #restore(repository: string, kept: Kept): Promise<void> {
    const { digest, subject, references } = kept;
    if (subject !== undefined) {
      const referrer = referrerOf({ ...kept, content: Buffer.from(kept.content, 'base64') });
      await this.#bucket.put(referrerKey(repository, subject, digest), JSON.stringify(referrer));
    }
    const blobs = references.filter(({ kind }) => kind === 'blob').map((reference) => reference.digest);
    await this.#markUses(repository, blobs, digest);
  }

  async #find(repository: string, digest: Digest): Promise<Found | undefined> {
    const object = await this.#bucket.get(manifestKey(repository, digest));
    if (object === undefined || object.bytes.length === 0) return undefined;
    return {
      kept: JSON.parse(object.bytes.toString()) as Kept,
      etag: object.etag,
      modified: object.modified,
    };
  }

  async #tag(
    repository: string,
    tag: string,
  ): Promise<{ digest: Digest; pushed: number; etag: string } | undefined> {
    const object = await this.#bucket.get(tagKey(repository, tag));
    if (object === undefined) return undefined;
    const { digest, pushed } = JSON.parse(object.bytes.toString()) as { digest: Digest; pushed: number };
    return { digest, pushed, etag: object.etag };
  }
}

function tagText(digest: Digest): string {
  return JSON.stringify({ digest, pushed: Date.now(), written: crypto.randomUUID() });
}

function referrerOf({ mediaType, digest, content, artifactType, annotations }: ManifestRecord): Referrer {
  return {
    mediaType,
    digest,
    size: content.length,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}
