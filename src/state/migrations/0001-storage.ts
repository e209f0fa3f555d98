import type { Migration } from '../migrations.ts';

/**
 * Snapshots are directories of a storage driver, named after their row's id; the row comes before the directory and
 * goes before it; its usage is filled in when it is first asked for. A layer is what an image is made of; its snapshot has the chain id as name. Foreign keys are the
 * reference counts: a layer or snapshot that anything refers to cannot be deleted.
 */
export const migration: Migration = {
  name: '0001-storage',
  sql: `
    CREATE TABLE snapshots (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      driver TEXT NOT NULL,
      name TEXT NOT NULL,
      kind TEXT NOT NULL CHECK (kind IN ('active', 'view', 'committed')),
      parent INTEGER REFERENCES snapshots (id),
      bytes INTEGER,
      inodes INTEGER,
      UNIQUE (driver, name)
    ) STRICT;
    CREATE INDEX snapshots_parent ON snapshots (parent);

    CREATE TABLE layers (
      chain_id TEXT PRIMARY KEY,
      parent TEXT REFERENCES layers (chain_id),
      diff_id TEXT NOT NULL,
      blob TEXT NOT NULL,
      media_type TEXT NOT NULL,
      size INTEGER NOT NULL CHECK (size >= 0),
      CHECK (parent IS NOT NULL OR chain_id = diff_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX layers_parent ON layers (parent);
    CREATE INDEX layers_blob ON layers (blob);
  `,
};
