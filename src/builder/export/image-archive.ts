import type { DockerArchiveEntry } from '#/oci/docker-archive.ts';
import type { Reference } from '#/oci/reference.ts';
import { type ArchivedBlob, archiveEntries, blobPath } from '#/storage/images/archive-layout.ts';
import { writeTar } from '#/tar/tar-writer.ts';
import { type ImagePackage, onlyImage } from './image-package.ts';

/**
 * A package as an archive: `oci` is an OCI image layout, `docker` one that `docker load` of any version takes, too, and that
 * holds one image. The same package gives the same bytes.
 */
export function imageArchive(
  kind: 'oci' | 'docker',
  made: ImagePackage,
  names: readonly Reference[],
): AsyncGenerator<Uint8Array, void, undefined> {
  const documents = [{ descriptor: made.top, bytes: made.topBytes }, ...made.documents];
  const blobs: ArchivedBlob[] = documents.map(({ descriptor: { digest, size }, bytes }) => ({
    digest,
    size,
    open: () => [bytes],
  }));
  for (const { descriptor, open } of made.blobs.values()) {
    const { digest, size } = descriptor;
    blobs.push({ digest, size, open: () => open(0) });
  }
  const images = kind === 'docker' ? [dockerEntry(made, names)] : undefined;
  return writeTar(archiveEntries({ blobs, tops: [{ descriptor: made.top, names }], images }));
}

function dockerEntry(made: ImagePackage, names: readonly Reference[]): DockerArchiveEntry {
  const { config, layers } = onlyImage(made, 'an archive of type docker');
  return {
    config: blobPath(config.digest),
    names,
    parent: undefined,
    layers: layers.map(({ diffId, descriptor }) => ({
      path: blobPath(descriptor.digest),
      diffId,
      descriptor,
    })),
  };
}
