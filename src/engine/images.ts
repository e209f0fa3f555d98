import { internal, invalid, isKind, notFound } from '#/base/errors.ts';
import type { Digest } from '#/oci/digest.ts';
import { platformOf } from '#/oci/image-config.ts';
import { formatPlatform, hostPlatform, type Platform, platformRank } from '#/oci/platform.ts';
import { familiarString, parseReference, type Reference, withDefaultTag, withTag } from '#/oci/reference.ts';
import { importImage } from '#/storage/images/import.ts';
import { type LayerProgress, loadImages } from '#/storage/images/load.ts';
import type { AddedImage, ImageParts } from '#/storage/images/record.ts';
import { type SaveItem, saveImages } from '#/storage/images/save.ts';
import { selectImages } from '#/storage/images/save-selection.ts';
import type { Filters } from '#/wire/filters.ts';
import type {
  ImageDeleteItem,
  ImageHistoryItem,
  ImageInspect,
  ImageSummary,
  ImagesPruneResponse,
} from '#/wire/images.ts';
import type { Events } from './events.ts';
import { applyChanges } from './images/changes.ts';
import { findFor, lacksPlatform, partsOf } from './images/find.ts';
import { historyOf, inspectImage } from './images/inspect.ts';
import { type ImageListOptions, listImages } from './images/list.ts';
import { type ImageManifests, manifestsOf } from './images/manifests.ts';
import { pruneImages } from './images/prune.ts';
import { ImageRemoval, type ImageRemoveOptions } from './images/remove.ts';
import type { ImageUsers } from './images/users.ts';

/** An image to be made from the archive of a file system. */
export interface ImportRequest {
  /** Empty: the image gets no name. */
  readonly repository: string;
  readonly tag: string;
  readonly message: string;
  /** Lines of a Dockerfile. */
  readonly changes: readonly string[];
  readonly platform: Platform | undefined;
  readonly signal: AbortSignal;
}

/** What a load may be told. */
export interface LoadRequest {
  readonly platform: Platform | undefined;
  /** Called while a layer is unpacked, with bytes of its blob. */
  readonly onProgress?: (progress: LayerProgress) => void;
  readonly signal: AbortSignal;
}

/** An image that a load brought, or found there. */
export interface LoadedImage {
  readonly id: string;
  /** As people write them, each with the id of the other image that had it until now. */
  readonly names: readonly { readonly name: string; readonly previous: string | undefined }[];
}

/** Docker's operations on images. Everywhere `text` is what a person writes: a name, an id or a prefix of one. */
export class Images {
  readonly #parts: ImageParts;
  readonly #users: ImageUsers;
  readonly #events: Events;
  readonly #driver: string;

  /** `driver` is the storage driver's name, for inspect. */
  constructor(options: ImageParts & { users: ImageUsers; events: Events; driver: string }) {
    const { users, events, driver, ...parts } = options;
    this.#parts = parts;
    this.#users = users;
    this.#events = events;
    this.#driver = driver;
  }

  list(options: ImageListOptions): ImageSummary[] {
    return listImages(this.#parts, this.#users, options);
  }

  inspect(text: string, platform?: Platform): ImageInspect {
    const isPart = platform !== undefined;
    return inspectImage(this.#parts, findFor(this.#parts.images, text, platform), {
      driver: this.#driver,
      isPart,
    });
  }

  /** The manifests that an image consists of or is listed with. */
  manifests(text: string): Promise<ImageManifests> {
    return manifestsOf(this.#parts, this.#users, this.#parts.images.find(text));
  }

  history(text: string, platform?: Platform): ImageHistoryItem[] {
    return historyOf(this.#parts, findFor(this.#parts.images, text, platform));
  }

  /** The image that `text` names, or those of an index, and all that were made from them; none if there is no such image. */
  family(text: string): ReadonlySet<string> {
    const { images } = this.#parts;
    const found = new Set<Digest>();
    try {
      for (const { id } of partsOf(images, images.find(text))) found.add(id);
    } catch (error) {
      if (!isKind(error, 'notFound') && !isKind(error, 'invalid')) throw error;
    }
    // A set that grows is iterated to its new end.
    for (const id of found) for (const child of images.children(id)) found.add(child.id);
    return found;
  }

  /** Gives an image another name. An empty `tag` leaves the one in `repository`, or `latest`. */
  tag(text: string, repository: string, tag: string): void {
    const name = newName(repository, tag);
    const { id } = this.#parts.images.find(text);
    this.#parts.images.tag(id, name);
    this.#publish('tag', id, familiarString(name));
  }

  /** Takes a name or an image away; returns what was done, in order. */
  remove(text: string, options: ImageRemoveOptions): Promise<ImageDeleteItem[]> {
    const removal = new ImageRemoval(this.#parts, this.#users, {
      untagged: (id) => this.#publish('untag', id),
      deleted: (id) => this.#publish('delete', id),
    });
    return removal.remove(text, options);
  }

  /** Removes images that no container uses. */
  async prune(filters: Filters, { signal }: { signal: AbortSignal }): Promise<ImagesPruneResponse> {
    const remove = (text: string): Promise<ImageDeleteItem[]> =>
      this.remove(text, { force: false, prune: true });
    const result = await pruneImages(this.#parts, filters, { remove, signal });
    const attributes = { reclaimed: String(result.SpaceReclaimed) };
    this.#events.publish({ type: 'image', action: 'prune', actor: { id: '', attributes } });
    return result;
  }

  /** Loads the images of an archive, all or none. */
  async load(source: AsyncIterable<Uint8Array>, request: LoadRequest): Promise<LoadedImage[]> {
    const loaded = await loadImages(this.#parts, source, request);
    for (const { chainId } of loaded.flatMap((named) => partsOf(this.#parts.images, named)))
      await this.#parts.archives.compact(chainId);
    for (const id of new Set(loaded.map(({ id }) => id))) this.#publish('load', id);
    return loaded.map(({ id, names }) => ({
      id,
      names: names.map(({ reference, previous }) => ({ name: familiarString(reference), previous })),
    }));
  }

  /**
   * An archive of the images that are named, in chunks that are only valid until the next one is asked for. What can be refused is
   * refused before the first bytes come.
   */
  save(texts: readonly string[], platform?: Platform): AsyncGenerator<Uint8Array, void, undefined> {
    const items = selectImages(this.#parts.images, texts).map((item) => this.#itemFor(item, platform));
    for (const { named, part } of items) this.#publish('save', part?.id ?? named.id);
    return saveImages(this.#parts, items, { lent: true });
  }

  /** Makes an image of one layer; returns its identifier. */
  async import(source: AsyncIterable<Uint8Array>, request: ImportRequest): Promise<string> {
    const { repository, tag, changes, signal } = request;
    const name = repository === '' ? undefined : newName(repository, tag);
    const config = applyChanges({}, changes);
    const platform = request.platform ?? hostPlatform();
    if (platform.os !== 'linux') throw invalid('operating system is not supported');
    const message = request.message === '' ? 'Imported from -' : request.message;
    const { image } = await importImage(this.#parts, source, { config, message, platform, name, signal });
    await this.#parts.archives.compact(image.chainId);
    if (name !== undefined) this.#publish('tag', image.id, familiarString(name));
    this.#publish('import', image.id);
    return image.id;
  }

  /** Tells of an image that a build has made. */
  built({ id, names }: AddedImage): void {
    for (const { reference } of names) this.#publish('tag', id, familiarString(reference));
    this.#publish('create', id);
  }

  /** Of an index, only the image for the platform. */
  #itemFor(item: SaveItem, platform: Platform | undefined): SaveItem {
    if (platform === undefined) return item;
    const { id, image, index } = item.named;
    if (index !== undefined) {
      const part = this.#parts.images.within(index, platform);
      if (part !== undefined) return { ...item, part };
      const [name] = item.names;
      const text = name === undefined ? id : familiarString(name);
      throw notFound(`no suitable export target found: ${lacksPlatform(text, platform)}`);
    }
    if (platformRank(platform, platformOf(image.config)) > 0) return item;
    throw internal(`no suitable export target found for platform ${formatPlatform(platform)}`);
  }

  /** Docker calls the image by its id in all events but `tag`; its labels come along while it exists. */
  #publish(action: string, id: Digest, name: string = id): void {
    const labels = this.#parts.images.named(id)?.image.config.config?.Labels;
    this.#events.publish({ type: 'image', action, actor: { id, attributes: { ...labels, name } } });
  }
}

/** The name that a client wants to give, complete. */
function newName(repository: string, tag: string): Reference {
  const reference = parseReference(repository);
  if (reference.digest !== undefined) throw invalid('cannot import digest reference');
  return tag === '' ? withDefaultTag(reference) : withTag(reference, tag);
}
