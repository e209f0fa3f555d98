import { internal } from '#/base/errors.ts';
import { parseTimestamp } from '#/base/timestamp.ts';
import { compilePathPattern } from '#/dockerfile/path-pattern.ts';
import type { Digest } from '#/oci/digest.ts';
import { familiarName, familiarString, type Reference } from '#/oci/reference.ts';
import type { ImageParts, ImageRecord, NamedImage } from '#/storage/images/record.ts';
import type { Filters } from '#/wire/filters.ts';
import type { ImageSummary } from '#/wire/images.ts';
import { booleanFilter, checkFilterNames, hasLabels } from '../filters.ts';
import { indexDescriptor } from './descriptors.ts';
import { partsOf } from './find.ts';
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
  const found: { created: bigint; summary: ImageSummary }[] = [];
  for (const named of parts.images.all()) {
    const { id, image } = named;
    if (!inRange(image)) continue;
    if (filters.has('label') && !hasLabels(filters, image.config.config?.Labels)) continue;
    const names = parts.images.namesOf(id).filter(wanted);
    const isTagged = names.some(({ tag }) => tag !== undefined);
    const isParent = partsOf(parts.images, named).some((part) => parents.has(part.id));
    if (dangling === true && (isTagged || isParent)) continue;
    if (names.length === 0) {
      // Neither a name that was asked for, nor an image that stands for itself.
      if (dangling === false || references.length > 0) continue;
      if (options.all !== true && isParent) continue;
    }
    const created = createdAt(image) ?? 0n;
    const summary = summaryOf(parts, users, { named, names, created, sizes: sizes?.(named) });
    found.push({ created, summary });
  }
  found.sort(byTime);
  return found.map(({ summary }) => summary);
}

/** The newest first. */
function byTime(
  a: { created: bigint; summary: ImageSummary },
  b: { created: bigint; summary: ImageSummary },
): number {
  if (a.created === b.created) return a.summary.Id < b.summary.Id ? -1 : 1;
  return a.created > b.created ? -1 : 1;
}

/** Bytes of the layers of an image. */
interface LayerSizes {
  readonly all: number;
  /** Of those that other images have, too. */
  readonly shared: number;
}

/** For each image or index, the sizes of its layers. */
function layerSizes(parts: ImageParts, kept: ReadonlyMap<string, number>): (named: NamedImage) => LayerSizes {
  const chains = new Map<Digest, ReadonlyMap<Digest, number>>();
  const uses = new Map<Digest, number>();
  for (const named of parts.images.all()) {
    const layers = layersOf(parts, named);
    chains.set(named.id, layers);
    for (const chainId of layers.keys()) uses.set(chainId, (uses.get(chainId) ?? 0) + 1);
  }
  return ({ id }) => {
    let [all, shared] = [0, 0];
    for (const [chainId, size] of chains.get(id) ?? []) {
      const bytes = size + (kept.get(chainId) ?? 0);
      all += bytes;
      if ((uses.get(chainId) ?? 0) > 1) shared += bytes;
    }
    return { all, shared };
  };
}

/** The layers of an image, or of all images of an index, each once, with their bytes. */
function layersOf({ images, layers }: ImageParts, named: NamedImage): Map<Digest, number> {
  const found = new Map<Digest, number>();
  for (const { chainId } of partsOf(images, named)) {
    if (chainId === undefined) continue;
    for (const layer of layers.chain(chainId)) found.set(layer.chainId, layer.size);
  }
  return found;
}

interface SummaryInput {
  readonly named: NamedImage;
  readonly names: readonly Reference[];
  readonly created: bigint;
  readonly sizes: LayerSizes | undefined;
}

function summaryOf(
  parts: ImageParts,
  users: ImageUsers,
  { named, names, created, sizes }: SummaryInput,
): ImageSummary {
  const { id, image, index } = named;
  const containers = partsOf(parts.images, named).flatMap((part) => users.containersUsing(part.id));
  return {
    Containers: containers.length,
    Created: Number(created / 1_000_000_000n),
    Id: id,
    Labels: image.config.config?.Labels ?? null,
    ParentId: index === undefined ? (image.parent ?? '') : '',
    ...(index === undefined ? {} : { Descriptor: indexDescriptor(index) }),
    RepoDigests: names.filter(({ digest }) => digest !== undefined).map(familiarString),
    RepoTags: names.filter(({ digest }) => digest === undefined).map(familiarString),
    SharedSize: sizes?.shared ?? -1,
    Size: sizes?.all ?? (index === undefined ? image.size : sum(layersOf(parts, named).values())),
  };
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const each of numbers) total += each;
  return total;
}

/** `before`, `since` and `until`: older and newer than all that are named. An image without a time is never in a range. */
function rangeOf({ images }: ImageParts, filters: Filters): (record: ImageRecord) => boolean {
  const times = (name: string, read: (value: string) => bigint | undefined): bigint[] =>
    (filters.get(name) ?? []).map(read).filter((time) => time !== undefined);
  const ofImage = (text: string): bigint | undefined => createdAt(images.find(text).image);
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
