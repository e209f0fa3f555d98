import type { Migration } from '../migrations.ts';

/**
 * Builds that have ended. `record` is what is known of one, in a form of its writer's. `created` and `completed` are
 * milliseconds since 1970.
 *
 * `build_history_blobs`: what belongs to a build (its log, its provenance), by digest; the same can belong to several.
 */
export const migration: Migration = {
  name: '0011-build-history',
  sql: `
    CREATE TABLE build_history (
      ref TEXT PRIMARY KEY,
      created INTEGER NOT NULL,
      completed INTEGER NOT NULL,
      pinned INTEGER NOT NULL CHECK (pinned IN (0, 1)),
      record BLOB NOT NULL
    ) STRICT;
    CREATE INDEX build_history_completed ON build_history (completed);

    CREATE TABLE build_history_blobs (
      ref TEXT NOT NULL REFERENCES build_history (ref) ON DELETE CASCADE,
      digest TEXT NOT NULL,
      bytes BLOB NOT NULL,
      PRIMARY KEY (ref, digest)
    ) STRICT;
    CREATE INDEX build_history_blobs_digest ON build_history_blobs (digest);
  `,
};
