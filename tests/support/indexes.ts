import type { Descriptor } from '#/oci/descriptor.ts';
import { type Digest, digestOf } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { formatPlatform, type Platform, parsePlatform } from '#/oci/platform.ts';
import { parseReference } from '#/oci/reference.ts';
import { loadImages } from '#/storage/images/load.ts';
import type { AddedImage, ImageParts, ImageRecord } from '#/storage/images/record.ts';
import { dockerArchive, streamOf, tarOf } from './images.ts';

/** An index in a store, and what it is made of. */
export interface StoredIndex {
  readonly added: AddedImage;
  readonly id: Digest;
  /** By platform, as in `linux/arm64`. */
  readonly images: ReadonlyMap<string, ImageRecord>;
  /** A blob that only the index needs. */
  readonly attestation: Digest;
}

/** Puts an index into a store, of images of one layer each; `content` distinguishes them from those of other indexes. */
export async function storeIndex(
  s: ImageParts,
  names: readonly string[],
  {
    platforms = ['linux/amd64', 'linux/arm64'],
    content = 'x',
  }: { platforms?: readonly string[]; content?: string } = {},
): Promise<StoredIndex> {
  const images = new Map<string, ImageRecord>();
  for (const text of platforms) {
    const { os, architecture, variant } = parsePlatform(text);
    const archive = await dockerArchive([], [await tarOf({ file: `${content} for ${text}` })], {
      os,
      architecture,
      variant,
    });
    const [loaded] = await loadImages(s, streamOf(archive));
    if (loaded === undefined) throw new Error('nothing was loaded');
    images.set(formatPlatform(parsePlatform(text)), loaded.image);
  }
  const listed: Descriptor[] = [];
  for (const [text, { manifest }] of images) {
    listed.push(describe(manifest, { size: await s.content.size(manifest), platform: parsePlatform(text) }));
  }
  const attested = await storeAttestation(s, listed[0] as Descriptor);
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      manifests: [...listed, attested.descriptor],
      annotations: { 'org.example.kept': content },
    }),
  );
  const [added] = s.images.add(
    [],
    [
      {
        id: digestOf(bytes),
        bytes,
        images: new Map([...images.values()].map(({ manifest, id }) => [manifest, id])),
        blobs: [...listed.map(({ digest }) => digest), ...attested.blobs],
        names: names.map(parseReference),
        tagged: undefined,
      },
    ],
  );
  if (added === undefined) throw new Error('the store has taken no index');
  return { added, id: added.id, images, attestation: attested.descriptor.digest };
}

function describe(digest: Digest, { size, platform }: { size: number; platform: Platform }): Descriptor {
  return { mediaType: mediaTypes.manifest, digest, size, platform };
}

/** A statement about a manifest, as BuildKit stores it. */
async function storeAttestation(
  { content }: ImageParts,
  subject: Descriptor,
): Promise<{ descriptor: Descriptor; blobs: Digest[] }> {
  const put = async (document: object, mediaType: string): Promise<Descriptor> => ({
    ...(await content.ingest(streamOf(Buffer.from(JSON.stringify(document))))),
    mediaType,
  });
  const about = { name: '_', digest: { sha256: subject.digest.slice('sha256:'.length) } };
  const said = await put(
    {
      _type: 'https://in-toto.io/Statement/v0.1',
      predicateType: 'urn:test',
      subject: [about],
      predicate: {},
    },
    'application/vnd.in-toto+json',
  );
  const config = await put({ architecture: 'unknown', os: 'unknown' }, mediaTypes.config);
  const manifest = await put(
    { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers: [said] },
    mediaTypes.manifest,
  );
  return {
    descriptor: {
      ...manifest,
      annotations: {
        'vnd.docker.reference.digest': subject.digest,
        'vnd.docker.reference.type': 'attestation-manifest',
      },
      platform: { os: 'unknown', architecture: 'unknown', variant: '', osVersion: '' },
    },
    blobs: [manifest.digest, config.digest, said.digest],
  };
}
