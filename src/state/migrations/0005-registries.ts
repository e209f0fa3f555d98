import type { Migration } from '../migrations.ts';

/**
 * What pulls and pushes remember.
 *
 * `blob_sources`: repositories that are known to have had a blob, so that a push to another repository of the same
 * registry can have the registry mount it instead of uploading it again. Only a hint: it may be wrong, and its oldest rows
 * are dropped (`seen` is milliseconds since 1970).
 *
 * `kept_blobs`: blobs that an interrupted pull has downloaded completely. They belong to no image, and are kept for a
 * while so that the next attempt need not download them again.
 */
export const migration: Migration = {
  name: '0005-registries',
  sql: `
    CREATE TABLE blob_sources (
      digest TEXT NOT NULL,
      registry TEXT NOT NULL,
      repository TEXT NOT NULL,
      seen INTEGER NOT NULL,
      PRIMARY KEY (digest, registry, repository)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX blob_sources_seen ON blob_sources (seen);

    CREATE TABLE kept_blobs (
      digest TEXT PRIMARY KEY,
      since INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
  `,
};
