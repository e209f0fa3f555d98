import type { Descriptor } from '#/oci/descriptor.ts';
import type { Platform } from '#/oci/platform.ts';
import type { ImageRecord, IndexRecord } from '#/storage/images/record.ts';
import type { OciDescriptor, OciPlatform } from '#/wire/images.ts';

/** A platform as clients know it. */
export function wirePlatform({ architecture, os, osVersion, variant }: Platform): OciPlatform {
  return {
    architecture,
    os,
    ...(osVersion === '' ? {} : { 'os.version': osVersion }),
    ...(variant === '' ? {} : { variant }),
  };
}

/** A descriptor as clients know it. */
export function wireDescriptor({
  mediaType,
  digest,
  size,
  annotations,
  platform,
}: Descriptor): OciDescriptor {
  return {
    mediaType,
    digest,
    size,
    ...(annotations === undefined ? {} : { annotations }),
    ...(platform === undefined ? {} : { platform: wirePlatform(platform) }),
  };
}

/** The descriptor of an index. */
export function indexDescriptor({ id, bytes, document }: IndexRecord): OciDescriptor {
  return { mediaType: document.mediaType, digest: id, size: bytes.length };
}

/** The descriptor by which an index lists one of its images. */
export function partDescriptor({ document, images }: IndexRecord, image: ImageRecord): OciDescriptor {
  const found = document.manifests.find(({ digest }) => images.get(digest) === image.id);
  if (found === undefined) throw new Error(`the index does not list ${image.id}`);
  return wireDescriptor(found);
}
