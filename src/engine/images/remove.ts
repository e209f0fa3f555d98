import { conflict } from '#/base/errors.ts';
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
import type { ImageParts, ImageRecord } from '#/storage/images/record.ts';
import type { ImageDeleteItem } from '#/wire/images.ts';
import { findFor } from './inspect.ts';
import type { ImageUsers } from './users.ts';

/** How to remove; Docker's parameters of the same names, `prune` being the opposite of `noprune`. */
export interface ImageRemoveOptions {
  readonly force: boolean;
  /** Also parents that nobody needs any more. */
  readonly prune: boolean;
  /** Only if the image is for this one. */
  readonly platform?: Platform | undefined;
}

/** Told of each step right after it is done. */
export interface RemovalEvents {
  untagged(image: ImageRecord): void;
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
 * whether force would help.
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
  async remove(text: string, { force, prune, platform }: ImageRemoveOptions): Promise<ImageDeleteItem[]> {
    const { images } = this.#parts;
    const image = findFor(this.#parts, text, platform);
    const byName = !image.id.startsWith(text) && !image.id.slice('sha256:'.length).startsWith(text);
    const single = isSingleRepository(images.namesOf(image.id));
    if (byName) {
      const user = this.#users.containersUsing(image.id)[0];
      if (!force && single && user !== undefined) {
        throw conflict(
          `conflict: unable to remove repository reference "${text}" (must force) - container ${shortId(user.id)} is using its referenced image ${shortId(image.id)}`,
        );
      }
      this.#removeName(image, parseReference(text));
      if (images.namesOf(image.id).length > 0) return this.#items;
    } else if (single) {
      const obstacle = this.#obstacle(image, { force, names: false });
      if (obstacle !== undefined) throw refusal(image, obstacle);
      for (const reference of images.namesOf(image.id)) this.#untag(image, reference);
    }
    await this.#delete(image, { force, prune, quiet: byName });
    return this.#items;
  }

  /** Takes a name away, and when it was the last tag of its repository, that repository's digests. */
  #removeName(image: ImageRecord, reference: Reference): void {
    const { images } = this.#parts;
    const removed = withDefaultTag(
      reference.digest === undefined ? reference : { ...reference, tag: undefined },
    );
    this.#untag(image, removed);
    if (removed.digest !== undefined) return;
    const repository = canonicalName(removed);
    const rest = images.namesOf(image.id).filter((name) => canonicalName(name) === repository);
    if (rest.some(({ digest }) => digest === undefined)) return;
    // Docker tells of them in its answer, but not in its events.
    for (const digested of rest) this.#takeName(digested);
  }

  /** Deletes the image and then, step by step, parents without a name or a user. */
  async #delete(
    image: ImageRecord,
    { force, prune, quiet }: ImageRemoveOptions & { quiet: boolean },
  ): Promise<void> {
    const { images } = this.#parts;
    const obstacle = this.#obstacle(image, { force, names: true });
    if (obstacle !== undefined) {
      const isDangling = images.namesOf(image.id).length === 0 && images.children(image.id).length === 0;
      if (quiet && (!isDangling || obstacle.used)) return;
      throw refusal(image, obstacle);
    }
    const { id, parent: parentId } = image;
    for (const reference of images.namesOf(id)) this.#untag(image, reference);
    const layers = await images.delete(id);
    this.#events.deleted(id);
    this.#items.push({ Deleted: id }, ...layers.map((layer) => ({ Deleted: layer })));
    const parent = prune && parentId !== undefined ? images.get(parentId) : undefined;
    if (parent !== undefined) await this.#delete(parent, { force: false, prune: true, quiet: true });
  }

  #untag(image: ImageRecord, reference: Reference): void {
    this.#takeName(reference);
    this.#events.untagged(image);
  }

  #takeName(reference: Reference): void {
    this.#parts.images.untag(reference);
    this.#items.push({ Untagged: familiarString(reference) });
  }

  #obstacle(image: ImageRecord, { force, names }: { force: boolean; names: boolean }): Obstacle | undefined {
    const { images } = this.#parts;
    if (images.children(image.id).length > 0) {
      return { hard: true, used: false, reason: 'image has dependent child images' };
    }
    const containers = this.#users.containersUsing(image.id);
    const running = containers.find((container) => container.running);
    if (running !== undefined) {
      const reason = `image is being used by running container ${shortId(running.id)}`;
      return { hard: true, used: true, reason };
    }
    if (force) return undefined;
    if (names && images.namesOf(image.id).length > 0) {
      return { hard: false, used: false, reason: 'image is referenced in multiple repositories' };
    }
    const stopped = containers[0];
    if (stopped === undefined) return undefined;
    const reason = `image is being used by stopped container ${shortId(stopped.id)}`;
    return { hard: false, used: true, reason };
  }
}

function refusal(image: ImageRecord, { hard, reason }: Obstacle): Error {
  const remedy = hard ? '(cannot be forced)' : '(must be forced)';
  return conflict(`conflict: unable to delete ${shortId(image.id)} ${remedy} - ${reason}`);
}

/** At most one tag, and digests only of the same repository: then the identifier means the name, too. */
function isSingleRepository(names: readonly Reference[]): boolean {
  const tags = names.filter(({ digest }) => digest === undefined);
  const repositories = new Set(names.map(canonicalName));
  return tags.length <= 1 && repositories.size <= 1;
}
