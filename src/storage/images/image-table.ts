import { type Digest, parseDigest } from '#/oci/digest.ts';
import { parseImageConfig } from '#/oci/image-config.ts';
import type { Database, Row, Statement } from '#/state/db.ts';
import type { ImageRecord, NewImage } from './record.ts';

/** The images: rows, and the same in memory. Rows are changed first, in a transaction of the caller's. */
export class ImageTable {
  readonly #byId = new Map<Digest, ImageRecord>();
  readonly #insert: Statement;
  readonly #insertBlob: Statement;
  readonly #setManifest: Statement;
  readonly #setParent: Statement;
  readonly #setTagged: Statement;
  readonly #blobs: Statement;
  readonly #delete: Statement;

  constructor(db: Database) {
    this.#insert = db.prepare(
      'INSERT INTO images (id, config, manifest, layer, size) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
    );
    this.#insertBlob = db.prepare(
      'INSERT INTO image_blobs (image, digest) VALUES (?, ?) ON CONFLICT DO NOTHING',
    );
    this.#setManifest = db.prepare('UPDATE images SET manifest = ? WHERE id = ?');
    this.#setParent = db.prepare('UPDATE images SET parent = ? WHERE id = ?');
    this.#setTagged = db.prepare('UPDATE images SET tagged = ? WHERE id = ?');
    this.#blobs = db.prepare('SELECT digest FROM image_blobs WHERE image = ?');
    this.#delete = db.prepare('DELETE FROM images WHERE id = ?');
    for (const row of db.prepare('SELECT * FROM images').all()) {
      const record = recordFrom(row);
      this.#byId.set(record.id, record);
    }
  }

  get(id: Digest): ImageRecord | undefined {
    return this.#byId.get(id);
  }

  /** All of them, in no order. */
  list(): ImageRecord[] {
    return [...this.#byId.values()];
  }

  /** The images that say that they were made from this one. */
  children(id: Digest): ImageRecord[] {
    return this.list().filter(({ parent }) => parent === id);
  }

  /** Writes the rows of images; of those that are there, what is to be changed, and what documents they are to be kept with. */
  write(images: readonly NewImage[]): void {
    // Parents can be among them.
    const fresh = images.filter((image) => this.#isInserted(image));
    for (const { id, parent } of fresh) if (parent !== undefined) this.#setParent.run(parent, id);
    for (const { id, manifest, replacesManifest, documents = [] } of images) {
      if (replacesManifest === true) this.#setManifest.run(manifest, id);
      for (const digest of replacesManifest === true ? [manifest, ...documents] : documents)
        this.#insertBlob.run(id, digest);
    }
  }

  /** Writes when somebody gave an image a name. */
  writeTagged(id: Digest, tagged: string): void {
    this.#setTagged.run(tagged, id);
  }

  /** Keeps in mind what `write` has written. */
  remember(image: NewImage): void {
    const { id, configBytes, manifest, chainId, parent, size, tagged } = image;
    const known = this.#byId.get(id);
    if (known !== undefined) {
      if (image.replacesManifest === true) this.#byId.set(id, { ...known, manifest });
      return;
    }
    const config = parseImageConfig(configBytes);
    this.#byId.set(id, { id, config, manifest, chainId, parent, size, tagged });
  }

  /** Keeps in mind what `writeTagged` has written. */
  rememberTagged(id: Digest, tagged: string): void {
    const known = this.#byId.get(id);
    if (known !== undefined) this.#byId.set(id, { ...known, tagged });
  }

  /** Removes the rows of an image, which has no names and belongs to no index any more; returns the blobs that it needed. */
  erase(id: Digest): Digest[] {
    const blobs = this.#blobs.all(id).map(({ digest }) => parseDigest(String(digest)));
    this.#delete.run(id);
    return blobs;
  }

  /** Keeps in mind that there is no such image. */
  forget(id: Digest): void {
    this.#byId.delete(id);
    for (const child of this.children(id)) this.#byId.set(child.id, { ...child, parent: undefined });
  }

  /** False: the image is there already. */
  #isInserted({ id, configBytes, manifest, chainId, size, blobs }: NewImage): boolean {
    const { changes } = this.#insert.run(id, configBytes.toString(), manifest, chainId ?? null, size);
    if (changes === 0) return false;
    for (const blob of blobs) this.#insertBlob.run(id, blob);
    return true;
  }
}

function recordFrom(row: Row): ImageRecord {
  const digest = (column: unknown): Digest | undefined =>
    typeof column === 'string' ? parseDigest(column) : undefined;
  return {
    id: parseDigest(String(row['id'])),
    config: parseImageConfig(Buffer.from(String(row['config']))),
    manifest: parseDigest(String(row['manifest'])),
    chainId: digest(row['layer']),
    parent: digest(row['parent']),
    size: Number(row['size']),
    tagged: typeof row['tagged'] === 'string' ? row['tagged'] : undefined,
  };
}
