import { type EngineError, notFound } from '#/base/errors.ts';
import { nowText } from '#/base/time.ts';
import type { Digest } from '#/oci/digest.ts';
import { platformOf } from '#/oci/image-config.ts';
import { hostPlatform, type Platform, platformRank } from '#/oci/platform.ts';
import { familiarString, parseAnyReference, type Reference, withDefaultTag } from '#/oci/reference.ts';
import type { Database, Statement } from '#/state/db.ts';
import type { ChainId } from './chain-id.ts';
import type { ContentStore } from './content/content-store.ts';
import { ImageNames, type NameOwner } from './images/image-names.ts';
import { ImageTable } from './images/image-table.ts';
import { IndexTable } from './images/index-table.ts';
import type {
  AddedImage,
  ImageRecord,
  IndexRecord,
  NamedImage,
  NewImage,
  NewIndex,
} from './images/record.ts';
import type { Layers } from './layers.ts';

/**
 * All images, the indexes that join some of them, and the names of both: rows in the database and the same values in memory,
 * where readers find them without a query. An image keeps its layers and blobs, an index its images and blobs; they go with it
 * as far as nothing else needs them.
 */
export class ImageStore {
  readonly #db: Database;
  readonly #content: ContentStore;
  readonly #layers: Layers;
  readonly #names: ImageNames;
  readonly #images: ImageTable;
  readonly #indexes: IndexTable;
  readonly #blobInUse: Statement;

  private constructor({ db, content, layers }: { db: Database; content: ContentStore; layers: Layers }) {
    this.#db = db;
    this.#content = content;
    this.#layers = layers;
    this.#names = new ImageNames(db);
    this.#images = new ImageTable(db);
    this.#indexes = new IndexTable(db);
    this.#blobInUse = db.prepare('SELECT 1 FROM needed_blobs WHERE digest = ? LIMIT 1');
  }

  /** Reads the images and sweeps blobs that belong to none, which an interrupted load leaves. */
  static async open(parts: { db: Database; content: ContentStore; layers: Layers }): Promise<ImageStore> {
    const store = new ImageStore(parts);
    for (const { digest } of await parts.content.list()) await store.dropBlob(digest);
    return store;
  }

  /** How many images and indexes stand for themselves. */
  count(): number {
    return this.all().length;
  }

  /** The image with this identifier. */
  get(id: string): ImageRecord | undefined {
    return this.#images.get(id as Digest);
  }

  /** The image or index with this identifier. */
  named(id: Digest): NamedImage | undefined {
    const image = this.get(id);
    if (image !== undefined) return { id, image, index: undefined };
    const index = this.#indexes.get(id);
    return index === undefined ? undefined : this.#whole(index);
  }

  /**
   * What `text` names: a reference, an identifier, or the beginning of exactly one identifier, in this order.
   * Throws `notFound` ("No such image: …"), `invalid` for what can be neither.
   */
  find(text: string): NamedImage {
    const meaning = parseAnyReference(text);
    const found =
      typeof meaning === 'string' ? this.named(meaning) : (this.byName(meaning) ?? this.#byPrefix(text));
    if (found === undefined) throw noSuchImage(meaning);
    return found;
  }

  /** What has this name; without tag and digest, the one tagged `latest`. A digest decides over a tag beside it. */
  byName(reference: Reference): NamedImage | undefined {
    const tag = reference.digest === undefined ? reference.tag : undefined;
    const owner = this.#names.owner(withDefaultTag({ ...reference, tag }));
    return owner === undefined ? undefined : this.named(owner);
  }

  /** The image of an index that serves a platform best; undefined if none serves it. */
  within(index: IndexRecord, platform: Platform): ImageRecord | undefined {
    const ranked = this.imagesOf(index).map((image) => ({
      image,
      rank: platformRank(platform, platformOf(image.config)),
    }));
    return ranked.filter(({ rank }) => rank > 0).toSorted((a, b) => b.rank - a.rank)[0]?.image;
  }

  /** The images of an index that are here, in its order. */
  imagesOf({ images }: IndexRecord): ImageRecord[] {
    return [...images.values()].flatMap((id) => this.#images.get(id) ?? []);
  }

  /** The blobs that an index keeps: manifests, and what attestations consist of. */
  blobsOf({ id }: IndexRecord): Digest[] {
    return this.#indexes.blobs(id);
  }

  /** All images, also those that are only known as parts of an index, in no order. */
  list(): ImageRecord[] {
    return this.#images.list();
  }

  /** Images and indexes that stand for themselves, in no order: not images without a name that belong to an index. */
  all(): NamedImage[] {
    const indexes = this.#indexes.list();
    const parts = new Set(indexes.flatMap(({ images }) => [...images.values()]));
    return [
      ...this.list()
        .filter(({ id }) => !parts.has(id) || this.namesOf(id).length > 0)
        .map((image) => ({ id: image.id, image, index: undefined })),
      ...indexes.map((index) => this.#whole(index)),
    ];
  }

  /** The names of an image or index, sorted. */
  namesOf(id: Digest): Reference[] {
    return this.#names.of(id);
  }

  /** The images that say that they were made from this one. */
  children(id: Digest): ImageRecord[] {
    return this.#images.children(id);
  }

  /** The indexes that an image belongs to. */
  indexesOf(image: Digest): IndexRecord[] {
    return this.#indexes.having(image);
  }

  /**
   * Adds images, indexes and their names, all of them or, if it throws, none; the result has first the images, then the indexes. One
   * that is there already only gets the names, an index also images. A parent must be there or among them.
   */
  add(images: readonly NewImage[], indexes: readonly NewIndex[] = []): AddedImage[] {
    const owners = [
      ...images.map(({ id, names, tagged }) => ({ kind: 'image' as const, id, names, tagged })),
      ...indexes.map(({ id, names, tagged }) => ({ kind: 'index' as const, id, names, tagged })),
    ];
    this.#db.transaction(() => {
      this.#images.write(images);
      for (const index of indexes) this.#indexes.write(index);
      for (const owner of owners) for (const name of owner.names) this.#writeName(name, owner);
    });
    for (const image of images) this.#images.remember(image);
    for (const index of indexes) this.#indexes.remember(index);
    return owners.map((owner) => {
      const names = owner.names.map((name) => ({
        reference: name,
        previous: this.#rememberName(name, owner),
      }));
      return { ...(this.named(owner.id) as NamedImage), names };
    });
  }

  /** Gives an image or index a name, with a tag or a digest, taking it from the one that had it: that one is returned. */
  tag(id: Digest, reference: Reference): Digest | undefined {
    return this.#give(id, reference, nowText());
  }

  /** As `tag`, for a name that nobody chose: what the image is called at a registry. */
  name(id: Digest, reference: Reference): void {
    this.#give(id, reference, undefined);
  }

  /** Takes a name away; the image stays. */
  untag(reference: Reference): void {
    this.#names.erase(reference);
    this.#names.forget(reference);
  }

  /**
   * Removes an image with its names, and returns the layers that went with it, the topmost first. Indexes do not have it any more;
   * one that is left without images goes, too.
   */
  async delete(id: Digest): Promise<ChainId[]> {
    const record = this.get(id);
    if (record === undefined) throw noSuchImage(id);
    const { chainId } = record;
    const chain = chainId === undefined ? [] : this.#layers.chain(chainId).map((layer) => layer.chainId);
    const indexes = this.indexesOf(id);
    const empty = indexes.filter((index) => this.imagesOf(index).every((image) => image.id === id));
    const blobs = this.#remove([id, ...empty.map((index) => index.id)], () => {
      for (const index of indexes) this.#indexes.eraseImage(index.id, id);
      return [...empty.flatMap((index) => this.#indexes.erase(index.id)), ...this.#images.erase(id)];
    });
    for (const index of indexes) this.#indexes.forgetImage(index.id, id);
    if (chainId !== undefined) await this.#layers.release(chainId);
    for (const blob of blobs) await this.dropBlob(blob);
    return chain.filter((layer) => this.#layers.get(layer) === undefined).toReversed();
  }

  /** Removes an index with its names; its images stay. */
  async deleteIndex(id: Digest): Promise<void> {
    if (this.#indexes.get(id) === undefined) throw noSuchImage(id);
    for (const blob of this.#remove([id], () => this.#indexes.erase(id))) await this.dropBlob(blob);
  }

  /**
   * A container of this image is gone. If the image went before it (by force), the container was what kept the layers:
   * they are removed now.
   */
  async containerRemoved(imageId: string): Promise<void> {
    if (this.get(imageId) === undefined) await this.#layers.collect();
  }

  /** Removes a blob that nothing needs and nobody holds. */
  async dropBlob(digest: Digest): Promise<void> {
    if (this.#blobInUse.get(digest) === undefined) await this.#content.remove(digest);
  }

  /** Removes images and indexes with their names; `erase` does it with their rows. */
  #remove<T>(ids: readonly Digest[], erase: () => T): T {
    const names = ids.flatMap((id) => this.namesOf(id));
    const erased = this.#db.transaction(() => {
      for (const reference of names) this.#names.erase(reference);
      return erase();
    });
    for (const reference of names) this.#names.forget(reference);
    for (const id of ids) {
      this.#images.forget(id);
      this.#indexes.forget(id);
    }
    return erased;
  }

  #give(id: Digest, reference: Reference, tagged: string | undefined): Digest | undefined {
    const owner = this.named(id);
    if (owner === undefined) throw noSuchImage(id);
    const naming = { id, kind: owner.index === undefined ? ('image' as const) : ('index' as const), tagged };
    this.#db.transaction(() => this.#writeName(reference, naming));
    return this.#rememberName(reference, naming);
  }

  #byPrefix(text: string): NamedImage | undefined {
    const prefix = text.startsWith('sha256:') ? text : `sha256:${text}`;
    const [only, ...more] = [...this.list(), ...this.#indexes.list()].filter(({ id }) =>
      id.startsWith(prefix),
    );
    return only === undefined || more.length > 0 ? undefined : this.named(only.id);
  }

  #whole(index: IndexRecord): NamedImage {
    const image = this.within(index, hostPlatform()) ?? this.imagesOf(index)[0];
    if (image === undefined) throw new Error(`index ${index.id} has no images`);
    return { id: index.id, image, index };
  }

  #writeName(reference: Reference, naming: Naming): void {
    const { id, kind, tagged } = naming;
    this.#names.write(reference, naming);
    if (tagged !== undefined) (kind === 'image' ? this.#images : this.#indexes).writeTagged(id, tagged);
  }

  #rememberName(reference: Reference, { id, kind, tagged }: Naming): Digest | undefined {
    const previous = this.#names.remember(reference, id);
    if (tagged !== undefined) (kind === 'image' ? this.#images : this.#indexes).rememberTagged(id, tagged);
    return previous === id ? undefined : previous;
  }
}

/** Who gets a name, and when, if that is to be remembered. */
interface Naming extends NameOwner {
  readonly tagged: string | undefined;
}

/** The error for a name or identifier that no image has. */
function noSuchImage(meaning: Reference | Digest): EngineError {
  const name = typeof meaning === 'string' ? meaning : familiarString(withDefaultTag(meaning));
  return notFound(`No such image: ${name}`);
}
