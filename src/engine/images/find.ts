import { notFound } from '#/base/errors.ts';
import { platformOf } from '#/oci/image-config.ts';
import { formatPlatform, type Platform, platformRank } from '#/oci/platform.ts';
import type { ImageRecord, NamedImage } from '#/storage/images/record.ts';
import type { ImageStore } from '#/storage/images.ts';

/** What `text` names, `image` being the one for the platform. Throws `notFound` if there is none for it. */
export function findFor(images: ImageStore, text: string, platform: Platform | undefined): NamedImage {
  const named = images.find(text);
  if (platform === undefined) return named;
  const { index, image } = named;
  if (index !== undefined) {
    const found = images.within(index, platform);
    if (found === undefined) throw notFound(lacksPlatform(text, platform));
    return { ...named, image: found };
  }
  const own = platformOf(image.config);
  if (platformRank(platform, own) > 0) return named;
  throw notFound(platformMismatch(text, own, platform));
}

/** Docker's words for an image that is for another platform than the one that is wanted. */
export function platformMismatch(text: string, own: Platform, wanted: Platform): string {
  return `image with reference ${text} was found but its platform (${formatPlatform(own)}) does not match the specified platform (${formatPlatform(wanted)})`;
}

/** Docker's words for an image for several platforms of which none is the one that is wanted. */
export function lacksPlatform(text: string, wanted: Platform): string {
  return `image with reference ${text} was found but does not provide the specified platform (${formatPlatform(wanted)})`;
}

/** The images that a name stands for: one, or those of an index. */
export function partsOf(images: ImageStore, { image, index }: NamedImage): readonly ImageRecord[] {
  return index === undefined ? [image] : images.imagesOf(index);
}
