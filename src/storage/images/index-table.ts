import { type Digest, parseDigest } from '#/oci/digest.ts';
import { parseStoredIndex } from '#/oci/manifest.ts';
import type { Database, Statement } from '#/state/db.ts';
import type { IndexRecord, NewIndex } from './record.ts';

/** The indexes: rows, and the same in memory. Rows are changed first, in a transaction of the caller's. */
export class IndexTable {
  readonly #byId = new Map<Digest, IndexRecord>();
  readonly #insert: Statement;
  readonly #insertImage: Statement;
  readonly #insertBlob: Statement;
  readonly #setTagged: Statement;
  readonly #blobs: Statement;
  readonly #delete: Statement;
  readonly #deleteImage: Statement;

  constructor(db: Database) {
    this.#insert = db.prepare('INSERT INTO indexes (digest, document) VALUES (?, ?) ON CONFLICT DO NOTHING');
    this.#insertImage = db.prepare(
      'INSERT INTO index_images (index_digest, manifest, image) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    );
    this.#insertBlob = db.prepare(
      'INSERT INTO index_blobs (index_digest, digest) VALUES (?, ?) ON CONFLICT DO NOTHING',
    );
    this.#setTagged = db.prepare('UPDATE indexes SET tagged = ? WHERE digest = ?');
    this.#blobs = db.prepare('SELECT digest FROM index_blobs WHERE index_digest = ?');
    this.#delete = db.prepare('DELETE FROM indexes WHERE digest = ?');
    this.#deleteImage = db.prepare('DELETE FROM index_images WHERE index_digest = ? AND image = ?');
    const images = db.prepare('SELECT manifest, image FROM index_images WHERE index_digest = ?');
    for (const { digest, document, tagged } of db.prepare('SELECT * FROM indexes').all()) {
      const id = parseDigest(String(digest));
      const here = images
        .all(id)
        .map(({ manifest, image }) => [parseDigest(String(manifest)), parseDigest(String(image))] as const);
      const bytes = Buffer.from(document as Uint8Array);
      this.#put({
        id,
        bytes,
        images: new Map(here),
        tagged: typeof tagged === 'string' ? tagged : undefined,
      });
    }
  }

  get(id: Digest): IndexRecord | undefined {
    return this.#byId.get(id);
  }

  /** All of them, in no order. */
  list(): IndexRecord[] {
    return [...this.#byId.values()];
  }

  /** Those that have an image. */
  having(image: Digest): IndexRecord[] {
    return this.list().filter(({ images }) => [...images.values()].includes(image));
  }

  /** The blobs that only it needs. */
  blobs(id: Digest): Digest[] {
    return this.#blobs.all(id).map(({ digest }) => parseDigest(String(digest)));
  }

  /** Writes the rows of an index, or what is new of one that is there. Throws `invalid` for what is not an index. */
  write({ id, bytes, images, blobs }: NewIndex): void {
    const { manifests } = parseStoredIndex(bytes);
    this.#insert.run(id, bytes);
    for (const { digest } of manifests) {
      const image = images.get(digest);
      if (image !== undefined) this.#insertImage.run(id, digest, image);
    }
    for (const blob of blobs) this.#insertBlob.run(id, blob);
  }

  /** Writes when somebody gave it a name. */
  writeTagged(id: Digest, tagged: string): void {
    this.#setTagged.run(tagged, id);
  }

  /** Keeps in mind what `write` has written. */
  remember({ id, bytes, images }: NewIndex): void {
    const known = this.#byId.get(id);
    this.#put({ id, bytes, images: new Map([...(known?.images ?? []), ...images]), tagged: known?.tagged });
  }

  /** Keeps in mind what `writeTagged` has written. */
  rememberTagged(id: Digest, tagged: string): void {
    const known = this.#byId.get(id);
    if (known !== undefined) this.#byId.set(id, { ...known, tagged });
  }

  /** Removes the rows of an index, which has no names any more; returns the blobs that it needed. */
  erase(id: Digest): Digest[] {
    const blobs = this.blobs(id);
    this.#delete.run(id);
    return blobs;
  }

  /** Removes the row that says that an index has an image. */
  eraseImage(id: Digest, image: Digest): void {
    this.#deleteImage.run(id, image);
  }

  /** Keeps in mind that there is no such index. */
  forget(id: Digest): void {
    this.#byId.delete(id);
  }

  /** Keeps in mind that an index does not have an image any more. */
  forgetImage(id: Digest, image: Digest): void {
    const known = this.#byId.get(id);
    if (known === undefined) return;
    this.#byId.set(id, {
      ...known,
      images: new Map([...known.images].filter(([, other]) => other !== image)),
    });
  }

  #put({ id, bytes, images, tagged }: Omit<IndexRecord, 'document'>): void {
    const document = parseStoredIndex(bytes);
    const ordered = document.manifests.flatMap(({ digest }): [Digest, Digest][] => {
      const image = images.get(digest);
      return image === undefined ? [] : [[digest, image]];
    });
    this.#byId.set(id, { id, bytes, document, images: new Map(ordered), tagged });
  }
}
