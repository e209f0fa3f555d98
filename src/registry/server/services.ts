import { KeyedLocks } from '#/base/locks.ts';
import { maxManifestBytes } from '#/oci/manifest.ts';
import { Leases } from './leases.ts';
import type { Metadata } from './metadata/metadata.ts';
import type { Observer } from './observer.ts';
import type { BlobStorage } from './storage/blob-storage.ts';
import { UploadSessions } from './upload-sessions.ts';

/** What the registry accepts at most. */
export interface Limits {
  /** Bytes of one blob. Default: no bound. */
  readonly maxBlobBytes?: number;
  /** Bytes of one manifest; at most, and by default, 4 MiB. */
  readonly maxManifestBytes?: number;
}

/** What the handlers work with. */
export interface Services {
  readonly storage: BlobStorage;
  readonly metadata: Metadata;
  readonly uploads: UploadSessions;
  /** By digest: held while a blob appears in or goes from the storage. */
  readonly blobLocks: KeyedLocks;
  readonly observer: Observer;
  readonly leases: Leases;
  readonly maxManifestBytes: number;
}

/** A lease is renewed at most so often; milliseconds, much less than any grace period. */
const leaseInterval = 60_000;

/** Puts the services together. */
export function buildServices({
  storage,
  metadata,
  observer,
  limits = {},
  leaseRenewal = leaseInterval,
}: {
  readonly storage: BlobStorage;
  readonly metadata: Metadata;
  readonly observer: Observer;
  readonly limits?: Limits;
  /** See `Leases`; for tests with a short grace period. */
  readonly leaseRenewal?: number;
}): Services {
  const blobLocks = new KeyedLocks();
  const { maxBlobBytes } = limits;
  const uploads = new UploadSessions({
    storage,
    metadata,
    blobLocks,
    ...(maxBlobBytes === undefined ? {} : { maxBlobBytes }),
  });
  return {
    storage,
    metadata,
    uploads,
    blobLocks,
    observer,
    leases: new Leases(metadata, { interval: leaseRenewal }),
    maxManifestBytes: Math.min(limits.maxManifestBytes ?? maxManifestBytes, maxManifestBytes),
  };
}
