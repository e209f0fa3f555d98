import type { Descriptor } from '#/oci/descriptor.ts';
import { algorithmOf, type Digest, hexOf } from '#/oci/digest.ts';
import { type DockerArchiveEntry, encodeDockerArchive } from '#/oci/docker-archive.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { canonicalString, familiarName, type Reference } from '#/oci/reference.ts';
import { fileHeader } from '#/tar/tar-entry.ts';
import type { TarInput } from '#/tar/tar-writer.ts';

/** A blob to be put into an archive. */
export interface ArchivedBlob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly open: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** What an archive of images has. */
export interface ArchiveContents {
  /** In any order; one that is there twice is written once. */
  readonly blobs: readonly ArchivedBlob[];
  /** What the archive is about: manifests or indexes among the blobs, with the names that they are to have. */
  readonly tops: readonly { readonly descriptor: Descriptor; readonly names: readonly Reference[] }[];
  /** For readers who know Docker's form only; undefined: not for them. */
  readonly images: readonly DockerArchiveEntry[] | undefined;
}

/**
 * The entries of an archive of images: an OCI image layout (image-spec, image-layout.md), and Docker's `manifest.json` and
 * `repositories` beside it. The same contents give the same entries.
 */
export async function* archiveEntries({ blobs, tops, images }: ArchiveContents): AsyncGenerator<TarInput> {
  const byDigest = new Map(blobs.map((blob) => [blob.digest, blob]));
  for (const { digest, size, open } of [...byDigest.values()].toSorted((a, b) =>
    a.digest < b.digest ? -1 : 1,
  )) {
    yield { ...fileHeader(blobPath(digest), size), body: open() };
  }
  yield file('index.json', encodeIndex(tops));
  if (images !== undefined) yield file('manifest.json', encodeDockerArchive(images));
  yield file('oci-layout', Buffer.from('{"imageLayoutVersion": "1.0.0"}'));
  const repositories = encodeRepositories(images ?? []);
  if (repositories !== undefined) yield file('repositories', repositories);
}

/** Where a blob is in an archive. */
export function blobPath(digest: Digest): string {
  return `blobs/${algorithmOf(digest)}/${hexOf(digest)}`;
}

/** `index.json`: a descriptor for each name, or one without annotations for an image without names. */
function encodeIndex(tops: ArchiveContents['tops']): Buffer {
  const manifests: object[] = tops.flatMap(({ names, descriptor }): object[] => {
    if (names.length === 0) return [descriptor];
    return names.map((reference) => ({
      ...descriptor,
      annotations: {
        ...descriptor.annotations,
        'io.containerd.image.name': canonicalString(reference),
        'org.opencontainers.image.ref.name': reference.tag,
      },
    }));
  });
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }));
}

/** `repositories`, for readers from before manifest.json: the top layer by repository and tag. */
function encodeRepositories(images: readonly DockerArchiveEntry[]): Buffer | undefined {
  const repositories = new Map<string, Record<string, string>>();
  for (const { names, layers } of images) {
    const top = layers.at(-1)?.descriptor.digest;
    if (top === undefined) continue;
    for (const reference of names) {
      const name = familiarName(reference);
      const tag = reference.tag ?? '';
      repositories.set(name, { ...repositories.get(name), [tag]: hexOf(top) });
    }
  }
  return repositories.size === 0 ? undefined : Buffer.from(JSON.stringify(Object.fromEntries(repositories)));
}

function file(path: string, content: Buffer): TarInput {
  return { ...fileHeader(path, content.length), body: [content] };
}
