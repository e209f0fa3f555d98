import type { Migration } from '../migrations.ts';

/**
 * Images and volumes.
 *
 * An image is its configuration: `id` is that document's digest. `manifest` is the blob that lists configuration and
 * layers; `image_blobs` has every blob that saving or pushing the image needs. `layer` is the chain id of its topmost
 * layer, null for an image without any. A name is complete (`docker.io/library/busybox:latest`, or with `@digest`) and
 * belongs to one image.
 *
 * `labels` and `options` of a volume are null when the request had none, which clients can tell from an empty object.
 * `volume_users` names containers without referring to their table: a volume is taken into use before the container
 * that wants it exists.
 */
export const migration: Migration = {
  name: '0004-images',
  sql: `
    CREATE TABLE images (
      id TEXT PRIMARY KEY,
      config TEXT NOT NULL CHECK (json_valid(config)),
      manifest TEXT NOT NULL,
      layer TEXT REFERENCES layers (chain_id),
      parent TEXT REFERENCES images (id) ON DELETE SET NULL,
      size INTEGER NOT NULL CHECK (size >= 0),
      tagged TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX images_layer ON images (layer);
    CREATE INDEX images_parent ON images (parent);

    CREATE TABLE image_names (
      name TEXT PRIMARY KEY,
      image TEXT NOT NULL REFERENCES images (id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX image_names_image ON image_names (image);

    CREATE TABLE image_blobs (
      image TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
      digest TEXT NOT NULL,
      PRIMARY KEY (image, digest)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX image_blobs_digest ON image_blobs (digest);

    CREATE TABLE volumes (
      name TEXT PRIMARY KEY CHECK (length(name) BETWEEN 2 AND 255 AND name NOT GLOB '.*' AND name NOT GLOB '*/*'),
      created TEXT NOT NULL,
      labels TEXT CHECK (json_valid(labels)),
      options TEXT CHECK (json_valid(options))
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE volume_users (
      volume TEXT NOT NULL REFERENCES volumes (name),
      container_id TEXT NOT NULL,
      PRIMARY KEY (volume, container_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX volume_users_container ON volume_users (container_id);
  `,
};
