import type { Migration } from '../migrations.ts';

/**
 * Containers in two tables: what was asked for (`container`, changes by rename and update only) and what has become of
 * it (`container_state`). `config` is JSON: everything of the create request that nobody searches by.
 */
export const migration: Migration = {
  name: '0002-containers',
  sql: `
    CREATE TABLE container (
      id TEXT PRIMARY KEY CHECK (length(id) = 64),
      name TEXT NOT NULL UNIQUE,
      image_id TEXT NOT NULL,
      created TEXT NOT NULL,
      config TEXT NOT NULL CHECK (json_valid(config))
    ) STRICT;
    CREATE INDEX container_image ON container (image_id);

    CREATE TABLE container_state (
      id TEXT PRIMARY KEY REFERENCES container (id) ON DELETE CASCADE,
      kind TEXT NOT NULL CHECK (kind IN ('creating', 'created', 'running', 'paused', 'restarting', 'exited', 'removing', 'dead')),
      state TEXT NOT NULL CHECK (json_valid(state)),
      restart_count INTEGER NOT NULL DEFAULT 0 CHECK (restart_count >= 0),
      manually_stopped INTEGER NOT NULL DEFAULT 0 CHECK (manually_stopped IN (0, 1))
    ) STRICT;
  `,
};
