import { internal } from '#/base/errors.ts';
import { parseTimestamp } from '#/base/timestamp.ts';
import { compilePathPattern } from '#/dockerfile/path-pattern.ts';
import type { Digest } from '#/oci/digest.ts';
import { familiarName, familiarString, type Reference } from '#/oci/reference.ts';
import type { ImageParts, ImageRecord } from '#/storage/images/record.ts';
import type { Filters } from '#/wire/filters.ts';
import type { ImageSummary } from '#/wire/images.ts';
import { booleanFilter, checkFilterNames, hasLabels } from '../filters.ts';
import type { ImageUsers } from './users.ts';

/** What a listing asks for; Docker's parameters of the same names. */
export interface ImageListOptions {
  /** Also images without a name that others were made from. */
  readonly all?: boolean;
  readonly filters: Filters;
  readonly sharedSize?: boolean;
  /** Bytes that are kept of layers beside what is unpacked, by chain id; counted in all sizes. Default: none. */
  readonly kept?: ReadonlyMap<string, number>;
}

/** When an image was made, in nanoseconds since 1970; undefined if it does not say. */
export function createdAt({ config }: ImageRecord): bigint | undefined {
  return config.created === undefined ? undefined : parseTimestamp(config.created, 0);
}

/** The images that the options ask for, newest first. */
export function listImages(parts: ImageParts, users: ImageUsers, options: ImageListOptions): ImageSummary[] {
  const { filters } = options;
  checkFilterNames(filters, ['dangling', 'label', 'before', 'since', 'reference', 'until']);
  const dangling = filters.has('dangling') ? booleanFilter(filters, 'dangling', false) : undefined;
  const inRange = rangeOf(parts, filters);
  const references = (filters.get('reference') ?? []).map(referencePattern);
  const wanted = (reference: Reference): boolean =>
    references.length === 0 ||
    references.some((matches) => matches(familiarString(reference)) || matches(familiarName(reference)));
  const parents = new Set(parts.images.list().map(({ parent }) => parent));
  const sizes =
    options.sharedSize === true ? layerSizes(parts, options.kept ?? new Map<string, number>()) : undefined;
  const found: { record: ImageRecord; created: bigint; summary: ImageSummary }[] = [];
  for (const record of parts.images.list()) {
    const { id } = record;
    if (!inRange(record)) continue;
    if (filters.has('label') && !hasLabels(filters, record.config.config?.Labels)) continue;
    const names = parts.images.namesOf(id).filter(wanted);
    const isTagged = names.some(({ tag }) => tag !== undefined);
    if (dangling === true && (isTagged || parents.has(id))) continue;
    if (names.length === 0) {
      // Neither a name that was asked for, nor an image that stands for itself.
      if (dangling === false || references.length > 0) continue;
      if (options.all !== true && parents.has(id)) continue;
    }
    const created = createdAt(record) ?? 0n;
    found.push({
      record,
      created,
      summary: summaryOf({ record, names, created }, users, sizes?.(record)),
    });
  }
  found.sort((a, b) =>
    a.created === b.created ? (a.record.id < b.record.id ? -1 : 1) : a.created > b.created ? -1 : 1,
  );
  return found.map(({ summary }) => summary);
}

/** Bytes of the layers of an image. */
interface LayerSizes {
  readonly all: number;
  /** Of those that other images have, too. */
  readonly shared: number;
}

/** For each image, the sizes of its layers. */
function layerSizes(
  { images, layers }: ImageParts,
  kept: ReadonlyMap<string, number>,
): (record: ImageRecord) => LayerSizes {
  const chains = new Map<Digest, { chainId: Digest; size: number }[]>();
  const uses = new Map<Digest, number>();
  for (const { id, chainId } of images.list()) {
    const chain = chainId === undefined ? [] : layers.chain(chainId);
    chains.set(id, chain);
    for (const layer of chain) uses.set(layer.chainId, (uses.get(layer.chainId) ?? 0) + 1);
  }
  return ({ id }) => {
    let [all, shared] = [0, 0];
    for (const { chainId, size } of chains.get(id) ?? []) {
      const bytes = size + (kept.get(chainId) ?? 0);
      all += bytes;
      if ((uses.get(chainId) ?? 0) > 1) shared += bytes;
    }
    return { all, shared };
  };
}

function summaryOf(
  { record, names, created }: { record: ImageRecord; names: readonly Reference[]; created: bigint },
  users: ImageUsers,
  sizes: LayerSizes | undefined,
): ImageSummary {
  return {
    Containers: users.containersUsing(record.id).length,
    Created: Number(created / 1_000_000_000n),
    Id: record.id,
    Labels: record.config.config?.Labels ?? null,
    ParentId: record.parent ?? '',
    RepoDigests: names.filter(({ digest }) => digest !== undefined).map(familiarString),
    RepoTags: names.filter(({ digest }) => digest === undefined).map(familiarString),
    SharedSize: sizes?.shared ?? -1,
    Size: sizes?.all ?? record.size,
  };
}

/** `before`, `since` and `until`: older and newer than all that are named. An image without a time is never in a range. */
function rangeOf({ images }: ImageParts, filters: Filters): (record: ImageRecord) => boolean {
  const times = (name: string, read: (value: string) => bigint | undefined): bigint[] =>
    (filters.get(name) ?? []).map(read).filter((time) => time !== undefined);
  const ofImage = (text: string): bigint | undefined => createdAt(images.find(text));
  const before = [...times('before', ofImage), ...times('until', (text) => parseTimestamp(text, Date.now()))];
  const since = times('since', ofImage);
  if (before.length === 0 && since.length === 0) return () => true;
  return (record) => {
    const created = createdAt(record);
    if (created === undefined) return false;
    return before.every((time) => created < time) && since.every((time) => created > time);
  };
}

/** The pattern of a `reference` filter. A malformed one is no fault of the request for Docker. */
function referencePattern(pattern: string): (name: string) => boolean {
  try {
    return compilePathPattern(pattern).matches;
  } catch (error) {
    throw internal('syntax error in pattern', error);
  }
}
