import { type EngineError, invalid, notFound } from '#/base/errors.ts';
import { nowText } from '#/base/time.ts';
import { type Digest, parseDigest } from '#/oci/digest.ts';
import { type ImageConfig, parseImageConfig } from '#/oci/image-config.ts';
import {
  canonicalString,
  familiarName,
  familiarString,
  parseAnyReference,
  parseReference,
  type Reference,
  withDefaultTag,
} from '#/oci/reference.ts';
import type { Database, Row, Statement } from '#/state/db.ts';
import type { ChainId } from './chain-id.ts';
import type { ContentStore } from './content/content-store.ts';
import type { AddedImage, ImageRecord, NewImage } from './images/record.ts';
import type { Layers } from './layers.ts';

/** Who gets a name, and when, if that is to be remembered. */
type Naming = Pick<ImageRecord, 'id' | 'tagged'>;

/**
 * All images and their names: rows in the database and the same values in memory, where readers find them without a
 * query. An image keeps its layers and blobs; they go with it as far as nothing else needs them.
 */
export class ImageStore {
  readonly #db: Database;
  readonly #content: ContentStore;
  readonly #layers: Layers;
  readonly #byId = new Map<Digest, ImageRecord>();
  /** Who has a complete name. */
  readonly #holders = new Map<string, Digest>();
  /** The complete names of an image. */
  readonly #names = new Map<Digest, Map<string, Reference>>();
  readonly #insert: Statement;
  readonly #insertBlob: Statement;
  readonly #setParent: Statement;
  readonly #insertName: Statement;
  readonly #deleteName: Statement;
  readonly #deleteNames: Statement;
  readonly #setTagged: Statement;
  readonly #delete: Statement;
  readonly #blobs: Statement;
  readonly #blobInUse: Statement;

  private constructor({ db, content, layers }: { db: Database; content: ContentStore; layers: Layers }) {
    this.#db = db;
    this.#content = content;
    this.#layers = layers;
    this.#insert = db.prepare(
      'INSERT INTO images (id, config, manifest, layer, size) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
    );
    this.#insertBlob = db.prepare(
      'INSERT INTO image_blobs (image, digest) VALUES (?, ?) ON CONFLICT DO NOTHING',
    );
    this.#setParent = db.prepare('UPDATE images SET parent = ? WHERE id = ?');
    this.#insertName = db.prepare(
      'INSERT INTO image_names (name, image) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET image = excluded.image',
    );
    this.#deleteName = db.prepare('DELETE FROM image_names WHERE name = ?');
    this.#deleteNames = db.prepare('DELETE FROM image_names WHERE image = ?');
    this.#setTagged = db.prepare('UPDATE images SET tagged = ? WHERE id = ?');
    this.#delete = db.prepare('DELETE FROM images WHERE id = ?');
    this.#blobs = db.prepare('SELECT digest FROM image_blobs WHERE image = ?');
    this.#blobInUse = db.prepare(
      `SELECT 1 FROM layers WHERE blob = ?1 UNION ALL SELECT 1 FROM image_blobs WHERE digest = ?1
       UNION ALL SELECT 1 FROM kept_blobs WHERE digest = ?1 LIMIT 1`,
    );
    for (const row of db.prepare('SELECT * FROM images').all()) {
      const record = recordFrom(row);
      this.#byId.set(record.id, record);
    }
    for (const { name, image } of db.prepare('SELECT * FROM image_names').all()) {
      this.#hold(parseReference(String(name)), parseDigest(String(image)));
    }
  }

  /** Reads the images and sweeps blobs that belong to none, which an interrupted load leaves. */
  static async open(parts: { db: Database; content: ContentStore; layers: Layers }): Promise<ImageStore> {
    const store = new ImageStore(parts);
    for (const { digest } of await parts.content.list()) await store.dropBlob(digest);
    return store;
  }

  /** How many there are. */
  count(): number {
    return this.#byId.size;
  }

  get(id: string): ImageRecord | undefined {
    return this.#byId.get(id as Digest);
  }

  /**
   * The image that `text` names: a reference, an identifier, or the beginning of exactly one identifier, in this order.
   * Throws `notFound` ("No such image: …"), `invalid` for what can be neither.
   */
  find(text: string): ImageRecord {
    const meaning = parseAnyReference(text);
    const found =
      typeof meaning === 'string' ? this.get(meaning) : (this.byName(meaning) ?? this.#byPrefix(text));
    if (found === undefined) throw noSuchImage(meaning);
    return found;
  }

  /** The image of this name; without tag and digest, the one tagged `latest`. A digest decides over a tag beside it. */
  byName(reference: Reference): ImageRecord | undefined {
    const tag = reference.digest === undefined ? reference.tag : undefined;
    const holder = this.#holders.get(canonicalString(withDefaultTag({ ...reference, tag })));
    return holder === undefined ? undefined : this.#byId.get(holder);
  }

  /** All images, in no order. */
  list(): ImageRecord[] {
    return [...this.#byId.values()];
  }

  /** The names of an image, sorted. */
  namesOf(id: Digest): Reference[] {
    const names = [...(this.#names.get(id) ?? [])];
    return names.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, reference]) => reference);
  }

  /** The images that say that they were made from this one. */
  children(id: Digest): ImageRecord[] {
    return this.list().filter(({ parent }) => parent === id);
  }

  /**
   * Adds images and their names, all of them or, if it throws, none. One that is there already only gets the names. A
   * parent must be there or among them.
   */
  add(images: readonly NewImage[]): AddedImage[] {
    const configs = images.map(({ configBytes }) => parseImageConfig(configBytes));
    for (const { names } of images) for (const name of names) refuseAmbiguous(name);
    this.#db.transaction(() => {
      const fresh = images.filter((image) => this.#insertRows(image));
      for (const { id, parent } of fresh) if (parent !== undefined) this.#setParent.run(parent, id);
      for (const { id, documents = [] } of images)
        for (const digest of documents) this.#insertBlob.run(id, digest);
      for (const image of images) for (const name of image.names) this.#writeName(name, image);
    });
    for (const [index, image] of images.entries()) {
      const { id, manifest, chainId, parent, size, tagged } = image;
      const config = configs[index] as ImageConfig;
      if (!this.#byId.has(id)) this.#byId.set(id, { id, config, manifest, chainId, parent, size, tagged });
    }
    return images.map((image) => ({
      names: image.names.map((name) => ({ reference: name, previous: this.#rememberName(name, image) })),
      image: this.#byId.get(image.id) as ImageRecord,
    }));
  }

  /** Gives an image a name, with a tag or a digest, taking it from the image that had it: that one is returned. */
  tag(id: Digest, reference: Reference): Digest | undefined {
    return this.#give(id, reference, nowText());
  }

  /** As `tag`, for a name that nobody chose: what the image is called at a registry. */
  name(id: Digest, reference: Reference): void {
    this.#give(id, reference, undefined);
  }

  /** Takes a name away; the image stays. */
  untag(reference: Reference): void {
    const name = canonicalString(reference);
    this.#deleteName.run(name);
    this.#forgetName(name);
  }

  /** Removes an image with its names, and returns the layers that went with it, the topmost first. */
  async delete(id: Digest): Promise<ChainId[]> {
    const record = this.get(id);
    if (record === undefined) throw noSuchImage(id);
    const { chainId } = record;
    const chain = chainId === undefined ? [] : this.#layers.chain(chainId).map((layer) => layer.chainId);
    const blobs = this.#blobs.all(id).map((row) => parseDigest(String(row['digest'])));
    this.#db.transaction(() => {
      this.#deleteNames.run(id);
      this.#delete.run(id);
    });
    for (const reference of this.namesOf(id)) this.#forgetName(canonicalString(reference));
    this.#byId.delete(id);
    for (const child of this.children(id)) this.#byId.set(child.id, { ...child, parent: undefined });
    if (chainId !== undefined) await this.#layers.release(chainId);
    for (const blob of blobs) await this.dropBlob(blob);
    return chain.filter((layer) => this.#layers.get(layer) === undefined).toReversed();
  }

  /**
   * A container of this image is gone. If the image went before it (by force), the container was what kept the layers:
   * they are removed now.
   */
  async containerRemoved(imageId: string): Promise<void> {
    if (this.get(imageId) === undefined) await this.#layers.collect();
  }

  /** Removes a blob that no image and no layer has and nobody holds. */
  async dropBlob(digest: Digest): Promise<void> {
    if (this.#blobInUse.get(digest) === undefined) await this.#content.remove(digest);
  }

  #give(id: Digest, reference: Reference, tagged: string | undefined): Digest | undefined {
    if (!this.#byId.has(id)) throw noSuchImage(id);
    refuseAmbiguous(reference);
    this.#db.transaction(() => this.#writeName(reference, { id, tagged }));
    return this.#rememberName(reference, { id, tagged });
  }

  #byPrefix(text: string): ImageRecord | undefined {
    const prefix = text.startsWith('sha256:') ? text : `sha256:${text}`;
    const found = this.list().filter(({ id }) => id.startsWith(prefix));
    return found.length === 1 ? found[0] : undefined;
  }

  /** False: the image is there already. */
  #insertRows(image: NewImage): boolean {
    const { id, manifest, chainId, size } = image;
    const { changes } = this.#insert.run(id, image.configBytes.toString(), manifest, chainId ?? null, size);
    if (changes === 0) return false;
    for (const blob of image.blobs) this.#insertBlob.run(id, blob);
    return true;
  }

  #writeName(reference: Reference, { id, tagged }: Naming): void {
    this.#insertName.run(canonicalString(reference), id);
    if (tagged !== undefined) this.#setTagged.run(tagged, id);
  }

  #rememberName(reference: Reference, { id, tagged }: Naming): Digest | undefined {
    const record = this.#byId.get(id) as ImageRecord;
    const previous = this.#holders.get(canonicalString(reference));
    this.#hold(reference, id);
    if (tagged !== undefined) this.#byId.set(id, { ...record, tagged });
    return previous === id ? undefined : previous;
  }

  #hold(reference: Reference, id: Digest): void {
    const name = canonicalString(reference);
    this.#forgetName(name);
    this.#holders.set(name, id);
    const names = this.#names.get(id) ?? new Map<string, Reference>();
    this.#names.set(id, names.set(name, reference));
  }

  #forgetName(name: string): void {
    const holder = this.#holders.get(name);
    if (holder === undefined) return;
    this.#holders.delete(name);
    const names = this.#names.get(holder);
    names?.delete(name);
    if (names?.size === 0) this.#names.delete(holder);
  }
}

/** The error for a name or identifier that no image has. */
function noSuchImage(meaning: Reference | Digest): EngineError {
  const name = typeof meaning === 'string' ? meaning : familiarString(withDefaultTag(meaning));
  return notFound(`No such image: ${name}`);
}

/** `sha256:abc` must stay an identifier. */
function refuseAmbiguous(reference: Reference): void {
  if (['sha256', 'sha384', 'sha512'].includes(familiarName(reference))) {
    throw invalid('refusing to create an ambiguous tag using digest algorithm as name');
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
