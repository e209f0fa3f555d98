import { conflict, invalid, notFound } from '#/base/errors.ts';
import { shortId } from '#/base/ids.ts';
import type { Digest } from '#/oci/digest.ts';
import type { Platform } from '#/oci/platform.ts';
import {
  canonicalName,
  familiarString,
  parseReference,
  type Reference,
  withDefaultTag,
} from '#/oci/reference.ts';
import type { ImageParts, ImageRecord, IndexRecord, NamedImage } from '#/storage/images/record.ts';
import type { ImageDeleteItem } from '#/wire/images.ts';
import { findFor, lacksPlatform } from './find.ts';
import type { ImageUser, ImageUsers } from './users.ts';

/** How to remove; Docker's parameters of the same names, `prune` being the opposite of `noprune`. */
export interface ImageRemoveOptions {
  readonly force: boolean;
  /** Also parents that nobody needs any more. */
  readonly prune: boolean;
  /** Of an index, only the images for these; an image only if it is for this one. Empty: without regard to it. */
  readonly platforms?: readonly Platform[];
}

/** Told of each step right after it is done. */
export interface RemovalEvents {
  untagged(id: Digest): void;
  deleted(id: Digest): void;
}

/** What stands in the way of deleting an image. */
interface Obstacle {
  /** `force` does not help. */
  readonly hard: boolean;
  /** A container is the reason. */
  readonly used: boolean;
  readonly reason: string;
}

/**
 * Removes by Docker's rules. A name is taken away, and with the last one the image goes; an identifier takes all names
 * of one repository away. Containers, children and further names stand in the way: `conflict` tells which of them, and
 * whether force would help. With an index go its images that nothing else names.
 */
export class ImageRemoval {
  readonly #parts: ImageParts;
  readonly #users: ImageUsers;
  readonly #events: RemovalEvents;
  readonly #items: ImageDeleteItem[] = [];

  constructor(parts: ImageParts, users: ImageUsers, events: RemovalEvents) {
    this.#parts = parts;
    this.#users = users;
    this.#events = events;
  }

  /** Removes what `text` names, and returns what was done. One removal object serves once. */
  async remove(
    text: string,
    { force, prune, platforms = [] }: ImageRemoveOptions,
  ): Promise<ImageDeleteItem[]> {
    const { images } = this.#parts;
    const { index } = images.find(text);
    if (index !== undefined && platforms.length > 0) {
      await this.#removeParts(index, { text, platforms, force });
      return this.#items;
    }
    if (platforms.length > 1) throw invalid('multiple platforms are not supported');
    const named = findFor(images, text, platforms[0]);
    const byName = !named.id.startsWith(text) && !named.id.slice('sha256:'.length).startsWith(text);
    const single = isSingleRepository(images.namesOf(named.id));
    if (byName) {
      const user = this.#usersOf(named)[0];
      if (!force && single && user !== undefined) {
        throw conflict(
          `conflict: unable to remove repository reference "${text}" (must force) - container ${shortId(user.id)} is using its referenced image ${shortId(named.id)}`,
        );
      }
      this.#removeName(named.id, parseReference(text));
      if (images.namesOf(named.id).length > 0) return this.#items;
    } else if (single) {
      const obstacle = this.#obstacle(named, { force, names: false });
      if (obstacle !== undefined) throw refusal(named.id, obstacle);
      for (const reference of images.namesOf(named.id)) this.#untag(named.id, reference);
    }
    await this.#delete(named, { force, prune, quiet: byName });
    return this.#items;
  }

  /** Takes images for some platforms out of an index, and removes them. With the last one goes the index. */
  async #removeParts(
    index: IndexRecord,
    { text, platforms, force }: { text: string; platforms: readonly Platform[]; force: boolean },
  ): Promise<void> {
    const { images } = this.#parts;
    if (!force) {
      throw invalid(
        'Content will be removed from all images referencing this variant. Use --force to force delete.',
      );
    }
    const wanted = new Map<Digest, ImageRecord>();
    for (const platform of platforms) {
      const image = images.within(index, platform);
      if (image === undefined) throw notFound(lacksPlatform(text, platform));
      wanted.set(image.id, image);
    }
    for (const image of wanted.values()) {
      const obstacle = this.#obstacle({ id: image.id, image, index: undefined }, { force, names: false });
      if (obstacle !== undefined) throw refusal(image.id, obstacle);
    }
    const names = images.namesOf(index.id);
    for (const image of wanted.values()) await this.#deleteImage(image);
    if (images.named(index.id) !== undefined) return;
    for (const reference of names) {
      this.#items.push({ Untagged: familiarString(reference) });
      this.#events.untagged(index.id);
    }
    this.#deleted(index.id);
  }

  /** Takes a name away, and when it was the last tag of its repository, that repository's digests. */
  #removeName(id: Digest, reference: Reference): void {
    const { images } = this.#parts;
    const removed = withDefaultTag(
      reference.digest === undefined ? reference : { ...reference, tag: undefined },
    );
    this.#untag(id, removed);
    if (removed.digest !== undefined) return;
    const repository = canonicalName(removed);
    const rest = images.namesOf(id).filter((name) => canonicalName(name) === repository);
    if (rest.some(({ digest }) => digest === undefined)) return;
    // Docker tells of them in its answer, but not in its events.
    for (const digested of rest) this.#takeName(digested);
  }

  /** Deletes the image and then, step by step, parents without a name or a user. */
  async #delete(
    named: NamedImage,
    { force, prune, quiet }: { force: boolean; prune: boolean; quiet: boolean },
  ): Promise<void> {
    const { images } = this.#parts;
    const { id, index } = named;
    const obstacle = this.#obstacle(named, { force, names: true });
    if (obstacle !== undefined) {
      if (quiet && (!this.#isDangling(named) || obstacle.used)) return;
      throw refusal(id, obstacle);
    }
    for (const reference of images.namesOf(id)) this.#untag(id, reference);
    const going = this.#goingWith(named);
    if (index !== undefined) {
      await images.deleteIndex(id);
      this.#deleted(id);
    }
    for (const image of going) await this.#deleteImage(image);
    for (const { parent: parentId } of prune ? going : []) {
      const parent = parentId === undefined ? undefined : images.named(parentId);
      if (parent !== undefined) await this.#delete(parent, { force: false, prune: true, quiet: true });
    }
  }

  async #deleteImage({ id }: ImageRecord): Promise<void> {
    const { images } = this.#parts;
    for (const reference of images.namesOf(id)) this.#untag(id, reference);
    const layers = await images.delete(id);
    this.#deleted(id);
    this.#items.push(...layers.map((layer) => ({ Deleted: layer })));
  }

  #deleted(id: Digest): void {
    this.#events.deleted(id);
    this.#items.push({ Deleted: id });
  }

  #untag(id: Digest, reference: Reference): void {
    this.#takeName(reference);
    this.#events.untagged(id);
  }

  #takeName(reference: Reference): void {
    this.#parts.images.untag(reference);
    this.#items.push({ Untagged: familiarString(reference) });
  }

  /** What goes: an image, or of an index those that neither have names nor belong to another one. */
  #goingWith({ image, index }: NamedImage): readonly ImageRecord[] {
    const { images } = this.#parts;
    if (index === undefined) return [image];
    return images
      .imagesOf(index)
      .filter(({ id }) => images.namesOf(id).length === 0 && images.indexesOf(id).length === 1);
  }

  #usersOf(named: NamedImage): ImageUser[] {
    return this.#goingWith(named).flatMap(({ id }) => this.#users.containersUsing(id));
  }

  #hasChildren(named: NamedImage): boolean {
    return this.#goingWith(named).some(({ id }) => this.#parts.images.children(id).length > 0);
  }

  #isDangling(named: NamedImage): boolean {
    const { images } = this.#parts;
    if (images.namesOf(named.id).length > 0 || this.#hasChildren(named)) return false;
    return named.index !== undefined || images.indexesOf(named.id).length === 0;
  }

  #obstacle(named: NamedImage, { force, names }: { force: boolean; names: boolean }): Obstacle | undefined {
    const { images } = this.#parts;
    const { id, index } = named;
    if (this.#hasChildren(named)) {
      return { hard: true, used: false, reason: 'image has dependent child images' };
    }
    const containers = this.#usersOf(named);
    const running = containers.find((container) => container.running);
    if (running !== undefined) {
      const reason = `image is being used by running container ${shortId(running.id)}`;
      return { hard: true, used: true, reason };
    }
    if (force) return undefined;
    if (names && images.namesOf(id).length > 0) {
      return { hard: false, used: false, reason: 'image is referenced in multiple repositories' };
    }
    const whole = index === undefined ? images.indexesOf(id)[0] : undefined;
    if (whole !== undefined) {
      const [name] = images.namesOf(whole.id);
      const shown = name === undefined ? shortId(whole.id) : familiarString(name);
      return { hard: false, used: false, reason: `image is one of the platforms of ${shown}` };
    }
    const stopped = containers[0];
    if (stopped === undefined) return undefined;
    const reason = `image is being used by stopped container ${shortId(stopped.id)}`;
    return { hard: false, used: true, reason };
  }
}

function refusal(id: Digest, { hard, reason }: Obstacle): Error {
  const remedy = hard ? '(cannot be forced)' : '(must be forced)';
  return conflict(`conflict: unable to delete ${shortId(id)} ${remedy} - ${reason}`);
}

/** At most one tag, and digests only of the same repository: then the identifier means the name, too. */
function isSingleRepository(names: readonly Reference[]): boolean {
  const tags = names.filter(({ digest }) => digest === undefined);
  const repositories = new Set(names.map(canonicalName));
  return tags.length <= 1 && repositories.size <= 1;
}
