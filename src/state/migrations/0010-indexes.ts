import type { Migration } from '../migrations.ts';

/**
 * Indexes: images for several platforms under one name. `document` is the index as it was made or came; its digest is what the whole
 * is known by. `index_images` has the images of it that are here, by the manifests that the document lists; they are rows of
 * `images` like all others. `index_blobs` has what only the index needs: manifests and attestations. A name belongs to an image or
 * to an index. `needed_blobs` are all blobs that something refers to.
 */
export const migration: Migration = {
  name: '0010-indexes',
  sql: `
    CREATE TABLE indexes (
      digest TEXT PRIMARY KEY,
      document BLOB NOT NULL,
      tagged TEXT
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE index_images (
      index_digest TEXT NOT NULL REFERENCES indexes (digest) ON DELETE CASCADE,
      manifest TEXT NOT NULL,
      image TEXT NOT NULL REFERENCES images (id),
      PRIMARY KEY (index_digest, manifest)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX index_images_image ON index_images (image);

    CREATE TABLE index_blobs (
      index_digest TEXT NOT NULL REFERENCES indexes (digest) ON DELETE CASCADE,
      digest TEXT NOT NULL,
      PRIMARY KEY (index_digest, digest)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX index_blobs_digest ON index_blobs (digest);

    CREATE TABLE names (
      name TEXT PRIMARY KEY,
      image TEXT REFERENCES images (id),
      index_digest TEXT REFERENCES indexes (digest),
      CHECK ((image IS NULL) <> (index_digest IS NULL))
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX names_image ON names (image);
    CREATE INDEX names_index ON names (index_digest);
    INSERT INTO names (name, image) SELECT name, image FROM image_names;
    DROP TABLE image_names;

    CREATE VIEW needed_blobs (digest) AS
      SELECT blob FROM layers
      UNION ALL SELECT digest FROM image_blobs
      UNION ALL SELECT digest FROM index_blobs
      UNION ALL SELECT digest FROM kept_blobs;
  `,
};
