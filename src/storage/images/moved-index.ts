import { attestationParts, attestedBy } from '#/oci/attestation.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import { type Digest, digestOf } from '#/oci/digest.ts';
import { maxManifestBytes } from '#/oci/manifest.ts';
import { type Moves, withMoves } from '#/oci/moved-digests.ts';
import type { ContentStore } from '../content/content-store.ts';
import type { IndexRecord } from './record.ts';

/** A blob that is not an image's own. */
interface IndexBlob {
  readonly descriptor: Descriptor;
  readonly open: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** A manifest with statements about an image. */
interface AttestationDocument {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly bytes: Buffer;
  /** Its configuration and its statements. */
  readonly blobs: readonly IndexBlob[];
}

/** An index as it goes out, around manifests that may be others than the stored ones. */
export interface MovedIndex {
  readonly digest: Digest;
  readonly bytes: Buffer;
  /** Those of its attestations that are here. */
  readonly attestations: readonly AttestationDocument[];
}

/** Bytes of one statement; a bill of materials of many packages has some of these. */
const maxStatement = 64 * 1024 * 1024;

/**
 * The index as it is with manifests that have moved. Attestations of moved images are made anew, with their subjects; without
 * moves everything is as it is stored.
 */
export async function moveIndex(
  content: ContentStore,
  index: IndexRecord,
  moves: Moves,
): Promise<MovedIndex> {
  const all = new Map(moves);
  const attestations: AttestationDocument[] = [];
  for (const descriptor of index.document.manifests) {
    const subject = attestedBy(descriptor);
    if (subject === undefined || !(await content.has(descriptor.digest))) continue;
    const moved = moves.has(subject)
      ? await moveAttestation(content, descriptor, moves)
      : await storedAttestation(content, descriptor);
    attestations.push(moved);
    all.set(descriptor.digest, { digest: moved.digest, size: moved.bytes.length });
  }
  const bytes = withMoves(index.bytes, all, { what: 'index', maxBytes: maxManifestBytes });
  return { digest: bytes === index.bytes ? index.id : digestOf(bytes), bytes, attestations };
}

async function storedAttestation(
  content: ContentStore,
  { mediaType, digest }: Descriptor,
): Promise<AttestationDocument> {
  const bytes = await content.read(digest, maxManifestBytes);
  const { config, statements } = attestationParts(bytes);
  const blobs = [config, ...statements].map(
    (descriptor): IndexBlob => ({ descriptor, open: () => content.open(descriptor.digest) }),
  );
  return { mediaType, digest, bytes, blobs };
}

/** Statements, then the configuration that lists them, then the manifest. */
async function moveAttestation(
  content: ContentStore,
  { mediaType, digest }: Descriptor,
  moves: Moves,
): Promise<AttestationDocument> {
  const bytes = await content.read(digest, maxManifestBytes);
  const { config, statements } = attestationParts(bytes);
  const all = new Map(moves);
  const blobs: IndexBlob[] = [];
  for (const descriptor of [...statements, config]) {
    const bounds = { what: `content ${descriptor.digest}`, maxBytes: maxStatement };
    const said = withMoves(await content.read(descriptor.digest, maxStatement), all, bounds);
    const now = { digest: digestOf(said), size: said.length };
    all.set(descriptor.digest, now);
    blobs.push({ descriptor: { ...descriptor, ...now }, open: () => [said] });
  }
  const moved = withMoves(bytes, all, { what: 'attestation manifest', maxBytes: maxManifestBytes });
  return { mediaType, digest: digestOf(moved), bytes: moved, blobs };
}
