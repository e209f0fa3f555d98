import type { Migration } from '../migrations.ts';

/**
 * Layers that were made here, by builds: their archives have never been written; they are made from the snapshots when somebody
 * needs them. `size` is the archive's bytes. `newest` is the time that its times are cut to, in seconds; null for none.
 */
export const migration: Migration = {
  name: '0009-built-layers',
  sql: `
    CREATE TABLE built_layers (
      chain_id TEXT PRIMARY KEY REFERENCES layers (chain_id) ON DELETE CASCADE,
      size INTEGER NOT NULL CHECK (size >= 0),
      newest INTEGER
    ) STRICT, WITHOUT ROWID;
  `,
};
