import { isKind } from '#/base/errors.ts';
import { canonicalString } from '#/oci/reference.ts';
import type { ImageParts, NamedImage } from '#/storage/images/record.ts';
import type { Filters } from '#/wire/filters.ts';
import type { ImageDeleteItem, ImagesPruneResponse } from '#/wire/images.ts';
import { booleanFilter, checkFilterNames, prunesLabels, untilFilter } from '../filters.ts';
import { partsOf } from './find.ts';
import { createdAt } from './list.ts';

/** Removes one image without force, but with its parents. */
export type RemoveImage = (text: string) => Promise<readonly ImageDeleteItem[]>;

/**
 * Removes images that no container uses: those without a tag or, with the filter `dangling=false`, all. What turns out
 * to be in use is left out silently.
 */
export async function pruneImages(
  parts: ImageParts,
  filters: Filters,
  { remove, signal }: { remove: RemoveImage; signal: AbortSignal },
): Promise<ImagesPruneResponse> {
  checkFilterNames(filters, ['dangling', 'label', 'label!', 'until']);
  const danglingOnly = booleanFilter(filters, 'dangling', true);
  const until = untilFilter(filters);
  const sizes = new Map<string, number>();
  for (const { chainId } of parts.images.list()) {
    for (const layer of chainId === undefined ? [] : parts.layers.chain(chainId))
      sizes.set(layer.chainId, layer.size);
  }
  const isCandidate = (named: NamedImage): boolean => {
    const { id, image } = named;
    const created = createdAt(image);
    if (until !== undefined && (created === undefined || created > until)) return false;
    const names = parts.images.namesOf(id);
    if (danglingOnly && names.some(({ digest }) => digest === undefined)) return false;
    const isParent = partsOf(parts.images, named).some((part) => parts.images.children(part.id).length > 0);
    if (isParent && (danglingOnly || names.length === 0)) return false;
    return prunesLabels(filters, image.config.config?.Labels);
  };
  const deleted: ImageDeleteItem[] = [];
  for (const { id } of parts.images.all().filter(isCandidate)) {
    if (signal.aborted) break;
    const names = parts.images.namesOf(id).map(canonicalString);
    for (const text of names.length > 0 ? names : [id]) deleted.push(...(await removeIfUnused(remove, text)));
  }
  const reclaimed = deleted.reduce((sum, { Deleted: id }) => sum + (sizes.get(id ?? '') ?? 0), 0);
  return { ImagesDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimed };
}

async function removeIfUnused(remove: RemoveImage, text: string): Promise<readonly ImageDeleteItem[]> {
  try {
    return await remove(text);
  } catch (error) {
    if (isKind(error, 'conflict') || isKind(error, 'notFound')) return [];
    throw error;
  }
}
