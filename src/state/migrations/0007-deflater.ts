import type { Migration } from '../migrations.ts';

/** Which library packed a layer: another makes other bytes, and so another blob. Until now it was always zlib. */
export const migration: Migration = {
  name: '0007-deflater',
  sql: "ALTER TABLE packed_layers ADD COLUMN deflater TEXT NOT NULL DEFAULT 'zlib';",
};
