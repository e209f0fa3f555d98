import type { Migration } from '../migrations.ts';

/**
 * As what blob a layer was packed for a push, where it is not kept as one that registries should get. The blob itself is gone;
 * a registry that has it need not be sent it again. `size` is its bytes.
 */
export const migration: Migration = {
  name: '0006-packed-layers',
  sql: `
    CREATE TABLE packed_layers (
      chain_id TEXT PRIMARY KEY REFERENCES layers (chain_id) ON DELETE CASCADE,
      digest TEXT NOT NULL,
      size INTEGER NOT NULL CHECK (size >= 0)
    ) STRICT, WITHOUT ROWID;
  `,
};
