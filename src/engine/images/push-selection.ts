import { invalid, notFound } from '#/base/errors.ts';
import { canonicalName, familiarName, familiarString, type Reference } from '#/oci/reference.ts';
import type { NamedImage } from '#/storage/images/record.ts';
import type { ImageStore } from '#/storage/images.ts';

/** One tag to push. */
export interface PushItem {
  readonly name: Reference;
  readonly tag: string;
  readonly image: NamedImage;
}

/**
 * What a push of `reference` pushes: its tag, or if it has none every tag that the repository has here, sorted. Throws in
 * the words of Docker if there is nothing.
 */
export function tagsToPush(images: ImageStore, reference: Reference): PushItem[] {
  if (reference.digest !== undefined) throw invalid('cannot push a digest reference');
  const repository = canonicalName(reference);
  const items = images.all().flatMap((image) =>
    images
      .namesOf(image.id)
      .filter((name) => canonicalName(name) === repository)
      .flatMap((name): PushItem[] => (name.tag === undefined ? [] : [{ name, tag: name.tag, image }])),
  );
  if (items.length === 0) {
    throw notFound(`An image does not exist locally with the tag: ${familiarName(reference)}`);
  }
  const { tag } = reference;
  if (tag === undefined) return items.toSorted((a, b) => (a.tag < b.tag ? -1 : 1));
  const wanted = items.filter((item) => item.tag === tag);
  if (wanted.length === 0) throw notFound(`tag does not exist: ${familiarString(reference)}`);
  return wanted;
}
