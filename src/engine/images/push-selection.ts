import { invalid, notFound } from '#/base/errors.ts';
import { attestedBy } from '#/oci/attestation.ts';
import type { Digest } from '#/oci/digest.ts';
import { kindOf } from '#/oci/manifest.ts';
import type { Platform } from '#/oci/platform.ts';
import { canonicalName, familiarName, familiarString, type Reference } from '#/oci/reference.ts';
import type { ImageRecord, IndexRecord, NamedImage } from '#/storage/images/record.ts';
import type { ImageStore } from '#/storage/images.ts';

/** One tag to push. */
export interface PushItem {
  readonly name: Reference;
  readonly tag: string;
  readonly named: NamedImage;
}

/** What is pushed of what a name stands for. */
export type PushContent =
  | { readonly kind: 'index'; readonly index: IndexRecord }
  | {
      readonly kind: 'image';
      readonly image: ImageRecord;
      readonly manifest: Digest;
      /** The index that is not pushed because this image alone of it is here. */
      readonly insteadOf?: IndexRecord;
    };

/**
 * What a push of `reference` pushes: its tag, or if it has none every tag that the repository has here, sorted. Throws in
 * the words of Docker if there is nothing.
 */
export function tagsToPush(images: ImageStore, reference: Reference): PushItem[] {
  if (reference.digest !== undefined) throw invalid('cannot push a digest reference');
  const repository = canonicalName(reference);
  const items = images.all().flatMap((named) =>
    images
      .namesOf(named.id)
      .filter((name) => canonicalName(name) === repository)
      .flatMap((name): PushItem[] => (name.tag === undefined ? [] : [{ name, tag: name.tag, named }])),
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

/**
 * An index goes as a whole. With a platform, its image for that one goes alone; so does the only one that is here, of several: the
 * index would list what nobody can get.
 */
export function contentToPush(
  images: ImageStore,
  { image, index }: NamedImage,
  platform: Platform | undefined,
): PushContent {
  if (index === undefined) return { kind: 'image', image, manifest: image.manifest };
  if (platform !== undefined) {
    const wanted = images.within(index, platform) ?? image;
    return { kind: 'image', image: wanted, manifest: manifestOf(index, wanted) };
  }
  const listed = index.document.manifests.filter(
    (one) => kindOf(one.mediaType) === 'manifest' && attestedBy(one) === undefined,
  );
  if (index.images.size > 1 || listed.length === 1) return { kind: 'index', index };
  return { kind: 'image', image, manifest: manifestOf(index, image), insteadOf: index };
}

function manifestOf({ images }: IndexRecord, { id, manifest }: ImageRecord): Digest {
  return [...images].find(([, image]) => image === id)?.[0] ?? manifest;
}
