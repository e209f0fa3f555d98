import type { Digest } from '#/oci/digest.ts';

/** How a manifest refers to other content. `blob` must be there before it, `manifest` (in an index) may follow or never come. */
export interface ManifestReference {
  readonly digest: Digest;
  readonly kind: 'blob' | 'manifest';
}

/** A manifest or index as it was pushed, and what the registry knows of its content. */
export interface ManifestRecord {
  readonly digest: Digest;
  readonly mediaType: string;
  /** The exact bytes. */
  readonly content: Buffer;
  readonly references: readonly ManifestReference[];
  /** What it is attached to (referrers API). */
  readonly subject: Digest | undefined;
  /** As the referrers API says it; undefined for an index without one. */
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

/** A manifest as it is served. */
export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly content: Buffer;
}

/** An element of the answer of the referrers API (image-spec, descriptor.md). */
export interface Referrer {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Which part of an ordered list is wanted. */
export interface Page {
  /** Begin behind this element, whether it exists or not. */
  readonly after?: string;
  /** At most so many. */
  readonly limit: number;
}

/** Which referrers are wanted. */
export interface ReferrersPage extends Page {
  /** Only those of this type. */
  readonly artifactType?: string;
}

/** How a manifest is asked for. */
export type ManifestName = { readonly digest: Digest } | { readonly tag: string };

/** An upload that is under way; its bytes are in `BlobStorage`. */
export interface UploadRecord {
  readonly id: string;
  readonly repository: string;
  /** The algorithm that the client announced. */
  readonly algorithm: string;
  /** When something was last sent, in milliseconds since 1970. */
  readonly touched: number;
}

/** A tag with what decides whether it is kept. Times are in milliseconds since 1970. */
export interface TagRecord {
  readonly name: string;
  readonly digest: Digest;
  /** When the tag was last pushed. */
  readonly pushed: number;
}

/** A manifest with what decides whether it is kept. */
export interface ManifestSummary {
  readonly digest: Digest;
  readonly subject: Digest | undefined;
  /** Manifests that it refers to (children of an index). */
  readonly children: readonly Digest[];
  readonly isTagged: boolean;
  /** Last push, or look at it by somebody who may push; milliseconds since 1970. */
  readonly touched: number;
}

/** A blob that can go, and why it was there. */
export interface UnusedBlob {
  readonly digest: Digest;
  readonly size: number;
  /** The repository whose link goes; undefined when the blob itself goes. */
  readonly repository: string | undefined;
}

/** When a manifest may be deleted by retention; checked in the same step. */
export interface DeleteCondition {
  /** Only if it has no tag, and nobody touched it since then (milliseconds since 1970). */
  readonly untouchedSince: number;
}

/** How to collect. */
export interface CollectOptions {
  /** Only what nobody has touched since then, in milliseconds since 1970: what is younger is leased to a push. */
  readonly before: number;
  /** Change nothing, only tell. */
  readonly dryRun: boolean;
}

/** Which repositories have which blobs. */
export interface BlobLinks {
  /** Bytes of the blob if it is linked to the repository, else undefined. */
  size(repository: string, digest: Digest): Promise<number | undefined>;
  /** Bytes of all blobs that are linked to the repository. */
  total(repository: string): Promise<number>;
  /** Repositories that have the blob, in byte order, at most `limit`: for mounts that do not say from where. */
  holders(digest: Digest, limit: number): Promise<string[]>;
  /** Links a blob of `size` bytes that is in the storage; the caller holds the lock of the digest. */
  link(repository: string, blob: { readonly digest: Digest; readonly size: number }): Promise<void>;
  /** Links the blob as `from` has it, and returns its bytes; undefined if `from` does not have it. */
  mount(repository: string, digest: Digest, from: string): Promise<number | undefined>;
  /** Takes the link away at the client's wish; false if there was none. */
  unlink(repository: string, digest: Digest): Promise<boolean>;
  /** Renews the lease: somebody who may push has looked whether the blob is there. */
  touch(repository: string, digest: Digest): Promise<void>;
}

/** Manifests, indexes, and the tags that point to them. */
export interface Manifests {
  /**
   * Stores a manifest and points `tags` at it; renews the leases of the manifests that it refers to. Returns the digests of
   * blobs that the repository does not have; then nothing was stored.
   */
  put(repository: string, manifest: ManifestRecord, tags: readonly string[]): Promise<Digest[]>;
  /** The manifest with this digest or tag. */
  get(repository: string, reference: ManifestName): Promise<StoredManifest | undefined>;
  /** Removes a manifest and all tags that point to it; false if there was none or the condition does not hold. */
  delete(repository: string, digest: Digest, condition?: DeleteCondition): Promise<boolean>;
  /** Renews the lease: somebody who may push has looked whether the manifest is there. */
  touch(repository: string, digest: Digest): Promise<void>;
  /** Manifests whose subject is `subject`, in the order of their digests. */
  referrers(repository: string, subject: Digest, page: ReferrersPage): Promise<Referrer[]>;
  /** Names in byte order. */
  tags(repository: string, page: Page): Promise<string[]>;
  /** Removes a tag; the manifest stays. False if there was none, or it is no longer as `unchanged` says. */
  deleteTag(repository: string, tag: string, unchanged?: Omit<TagRecord, 'name'>): Promise<boolean>;
  /** All tags, for retention. */
  tagRecords(repository: string): Promise<TagRecord[]>;
  /** All manifests, for retention. */
  summaries(repository: string): Promise<ManifestSummary[]>;
}

/** Uploads under way. */
export interface Uploads {
  begin(upload: Omit<UploadRecord, 'touched'>): Promise<void>;
  get(id: string): Promise<UploadRecord | undefined>;
  /** Something was sent for the upload. */
  touch(id: string): Promise<void>;
  end(id: string): Promise<void>;
  /** Those that were not touched since `before` (milliseconds since 1970). */
  stale(before: number): Promise<UploadRecord[]>;
}

/** What nothing refers to any more. */
export interface Unused {
  /** Takes away the links of blobs to which no manifest of their repository refers, each after a last look. */
  dropLinks(options: CollectOptions): AsyncIterable<UnusedBlob>;
  /** Blobs that no repository links; what `claim` says of each is what counts. */
  blobs(): AsyncIterable<UnusedBlob>;
  /**
   * Takes a last look: true if the blob is not linked, and from then on it cannot be linked by anybody who does not hold the
   * lock of its digest. The caller, who holds it, removes the blob from the storage and then calls `forget`.
   */
  claim(digest: Digest): Promise<boolean>;
  /** The blob is no longer in the storage. */
  forget(digest: Digest): Promise<void>;
  /** Tells whether the blob is known. What is in the storage but unknown was left by a crash. */
  knows(digest: Digest): Promise<boolean>;
  /** Forgets repositories in which nothing is left. */
  dropRepositories(): Promise<void>;
}

/**
 * What the registry knows of its content. One process keeps it in SQLite, several on one bucket keep it in objects.
 *
 * A repository exists as long as something is in it. A blob is served from a repository only through its link. A link is
 * leased to whoever pushes: `link`, `mount` and `touch` renew the time before which `dropLinks` leaves it alone. Each method
 * is one whole change, durable when it returns; only leases and uploads under way may be forgotten in a power cut.
 */
export interface Metadata extends AsyncDisposable {
  readonly links: BlobLinks;
  readonly manifests: Manifests;
  readonly uploads: Uploads;
  readonly unused: Unused;
  /** Names of repositories in byte order. */
  repositories(page: Page): Promise<string[]>;
  /** Tells whether anything is in the repository. */
  hasRepository(repository: string): Promise<boolean>;
}
