import type { Migration } from '../migrations.ts';

/**
 * What builds keep for the next ones.
 *
 * `build_cache`: the result of a step by the digest of all that decided on it (`key`; `inputs` is the document behind it).
 * `place` tells which instruction of which stage it was, to find what an earlier build had there. `layer` is null for a step
 * that ends without any layer. `created` is when the result was made, RFC 3339; `used` is milliseconds since 1970. `size` is
 * bytes that this step added.
 *
 * `cache_mounts`: directories of RUN --mount=type=cache, each in a directory named by its row's id; several can have one
 * `key`. `size` is null when it has to be measured again.
 */
export const migration: Migration = {
  name: '0008-build-cache',
  sql: `
    CREATE TABLE build_cache (
      key TEXT PRIMARY KEY,
      layer TEXT REFERENCES layers (chain_id),
      parent TEXT,
      place TEXT NOT NULL,
      description TEXT NOT NULL,
      inputs TEXT NOT NULL CHECK (json_valid(inputs)),
      created TEXT NOT NULL,
      used INTEGER NOT NULL,
      uses INTEGER NOT NULL,
      size INTEGER NOT NULL CHECK (size >= 0)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX build_cache_layer ON build_cache (layer);
    CREATE INDEX build_cache_place ON build_cache (place, used);

    CREATE TABLE cache_mounts (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      key TEXT NOT NULL,
      name TEXT NOT NULL,
      created INTEGER NOT NULL,
      used INTEGER NOT NULL,
      uses INTEGER NOT NULL,
      size INTEGER CHECK (size >= 0)
    ) STRICT;
    CREATE INDEX cache_mounts_key ON cache_mounts (key);
  `,
};
