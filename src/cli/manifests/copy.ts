import type { Repository } from '#/distribution/repository.ts';
import type { Digest } from '#/oci/digest.ts';
import { parseManifest } from '#/oci/manifest.ts';

/** Brings an image from one repository into another of the same registry; what can be mounted is not transferred. */
export async function copyImage({
  from,
  path,
  to,
  digest,
  signal,
}: {
  from: Repository;
  /** Of the repository that the image is in. */
  path: string;
  to: Repository;
  digest: Digest;
  signal: AbortSignal;
}): Promise<void> {
  const { descriptor, bytes } = await from.manifest(digest, { signal });
  const manifest = parseManifest(bytes, descriptor.mediaType);
  const parts = manifest.kind === 'manifest' ? [manifest.config, ...manifest.layers] : [];
  for (const part of parts) {
    await to.pushBlob(part, (start) => from.download(part, { start, signal }), { mountFrom: [path], signal });
  }
  await to.putManifest(digest, { mediaType: descriptor.mediaType, bytes }, { signal });
}
