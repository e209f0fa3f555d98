import type { Migration } from '#/state/migrations.ts';

/**
 * Times are milliseconds since 1970. `repository_blobs.touched` and `manifests.touched` are the leases of those who push:
 * what is younger than the grace period is not collected.
 */
const first: Migration = {
  name: 'registry',
  sql: `
    CREATE TABLE repositories (
      id INTEGER PRIMARY KEY,
      name TEXT NOT NULL UNIQUE
    ) STRICT;

    CREATE TABLE blobs (
      digest TEXT PRIMARY KEY,
      size INTEGER NOT NULL CHECK (size >= 0)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE repository_blobs (
      repository INTEGER NOT NULL REFERENCES repositories (id),
      digest TEXT NOT NULL REFERENCES blobs (digest),
      touched INTEGER NOT NULL,
      PRIMARY KEY (repository, digest)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX repository_blobs_by_digest ON repository_blobs (digest);

    CREATE TABLE manifests (
      id INTEGER PRIMARY KEY,
      repository INTEGER NOT NULL REFERENCES repositories (id),
      digest TEXT NOT NULL,
      media_type TEXT NOT NULL,
      subject TEXT,
      artifact_type TEXT,
      annotations TEXT,
      touched INTEGER NOT NULL,
      size INTEGER NOT NULL,
      content BLOB NOT NULL,
      UNIQUE (repository, digest)
    ) STRICT;
    CREATE INDEX manifests_by_subject ON manifests (repository, subject, digest) WHERE subject IS NOT NULL;

    CREATE TABLE manifest_references (
      repository INTEGER NOT NULL,
      digest TEXT NOT NULL,
      manifest INTEGER NOT NULL REFERENCES manifests (id) ON DELETE CASCADE,
      kind TEXT NOT NULL CHECK (kind IN ('blob', 'manifest')),
      PRIMARY KEY (repository, digest, manifest)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX manifest_references_by_manifest ON manifest_references (manifest);

    CREATE TABLE tags (
      repository INTEGER NOT NULL REFERENCES repositories (id),
      name TEXT NOT NULL,
      manifest INTEGER NOT NULL REFERENCES manifests (id) ON DELETE CASCADE,
      pushed INTEGER NOT NULL,
      PRIMARY KEY (repository, name)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX tags_by_manifest ON tags (manifest);

    CREATE TABLE uploads (
      id TEXT PRIMARY KEY,
      repository TEXT NOT NULL,
      algorithm TEXT NOT NULL,
      touched INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX uploads_by_time ON uploads (touched);
  `,
};

/** The schema of the registry's own file, step by step. */
export const registryMigrations: readonly Migration[] = [first];
