import type { Repository } from '#/distribution/repository.ts';
import type { Digest } from '#/oci/digest.ts';
import type { BlobSources, RepositoryName } from '#/registry/client/blob-sources.ts';
import type { Slots } from '#/registry/client/slots.ts';
import type { StatusSink } from '../progress.ts';
import type { ImagePackage } from './image-package.ts';
import type { ExportBlob } from './layer-blobs.ts';

/** Where a package goes. */
export interface PushTarget {
  readonly repository: Repository;
  readonly name: RepositoryName;
  /** Undefined: only by its digest. */
  readonly tag: string | undefined;
}

/** What a push works with. */
export interface PushControl {
  readonly sources: BlobSources;
  /** Bounds how many blobs are uploaded at once. */
  readonly uploads: Slots;
  readonly signal: AbortSignal;
  readonly progress: StatusSink;
}

/**
 * Pushes a package: the blobs that the registry lacks, several at once, then the manifests of images and attestations, the top
 * last, so that its tag never leads to what is not complete. Returns the top's digest.
 */
export async function pushPackage(
  made: ImagePackage,
  target: PushTarget,
  control: PushControl,
): Promise<Digest> {
  const stop = new AbortController();
  const signal = AbortSignal.any([control.signal, stop.signal]);
  const tasks = [...made.blobs.values()].map((blob) => pushBlob(blob, target, { ...control, signal }));
  try {
    await Promise.all(tasks);
  } catch (error) {
    // The first failure ends the others; nothing is left at work.
    stop.abort(error);
    await Promise.allSettled(tasks);
    throw error;
  }
  const { repository, tag } = target;
  for (const { descriptor, bytes } of made.documents) {
    await repository.putManifest(descriptor.digest, { mediaType: descriptor.mediaType, bytes }, { signal });
  }
  const { mediaType, digest } = made.top;
  const started = new Date();
  const id = `pushing manifest for ${target.name.domain}/${target.name.path}${tag === undefined ? '' : `:${tag}`}@${digest}`;
  control.progress({ id, current: 0, total: 0, started });
  const stored = await repository.putManifest(tag ?? digest, { mediaType, bytes: made.topBytes }, { signal });
  control.progress({ id, current: 0, total: 0, started, completed: new Date() });
  return stored;
}

async function pushBlob(
  { descriptor, open }: ExportBlob,
  { repository, name }: PushTarget,
  { sources, uploads, signal, progress }: PushControl,
): Promise<void> {
  const { digest, size: total } = descriptor;
  using _slot = await uploads.acquire({ signal });
  const started = new Date();
  const id = `pushing layer ${digest}`;
  const mountFrom = sources.others(digest, name);
  const how = await repository.pushBlob(descriptor, (start) => iterate(open(start)), {
    mountFrom,
    onProgress: (current) => progress({ id, current, total, started }),
    signal,
  });
  sources.note(digest, name);
  if (how === 'uploaded') {
    // Whoever was asked did not have it, after all.
    for (const path of mountFrom) sources.forget(digest, { domain: name.domain, path });
  }
  progress({ id, current: total, total, started, completed: new Date() });
}

async function* iterate(
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* bytes;
}
