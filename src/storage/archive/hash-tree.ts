import { createHash } from 'node:crypto';
import { invalid } from '#/base/errors.ts';
import { type Digest, parseDigest } from '#/oci/digest.ts';
import { Pacer } from '../tree/pacer.ts';
import { breakRing, type ChunkRing, RingWriter, ringChunks } from './chunk-ring.ts';
import type { PackSource } from './pack-source.ts';
import { type PackOptions, packChunkSize, packChunks, packTree } from './pack-tree.ts';

/** An archive that is to be made; plain data that can go to another thread. */
export interface TreePackJob extends PackOptions {
  readonly source: PackSource;
}

/** What an archive comes to. */
export interface HashedTree {
  /** The SHA-256 digest of the archive. */
  readonly diffId: Digest;
  /** Bytes of the archive. */
  readonly size: number;
  /** Bytes of file content in it. */
  readonly content: number;
}

/** How to hash. */
export interface HashControl {
  readonly signal?: AbortSignal | undefined;
  /** Give up when the archive gets larger than this. */
  readonly budget?: number;
}

/** The digest of an archive that nobody needs. Shares the event loop. Undefined: it is larger than the budget. */
export async function hashTree(
  { source, ...options }: TreePackJob,
  { signal, budget = Number.POSITIVE_INFINITY }: HashControl = {},
): Promise<HashedTree | undefined> {
  const hash = createHash('sha256');
  const pacer = new Pacer();
  const buffer = Buffer.allocUnsafe(packChunkSize);
  const chunks = packChunks(source, options, () => buffer);
  let size = 0;
  try {
    for (;;) {
      signal?.throwIfAborted();
      const next = chunks.next();
      if (next.done === true) {
        return { diffId: parseDigest(`sha256:${hash.digest('hex')}`), size, content: next.value };
      }
      hash.update(next.value);
      size += next.value.length;
      if (size > budget) return undefined;
      if (pacer.due) await pacer.turn();
    }
  } finally {
    chunks.return(0);
  }
}

/** An archive for another thread to hash. */
export interface FillJob extends TreePackJob {
  readonly ring: ChunkRing;
}

/** Puts the archive into a ring; see `hashRing`. */
export async function fillRing(
  { source, ring, ...options }: FillJob,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Omit<HashedTree, 'diffId'>> {
  const writer = new RingWriter(ring);
  const pacer = new Pacer();
  const chunks = packChunks(source, options, () => writer.next());
  let size = 0;
  try {
    for (;;) {
      signal?.throwIfAborted();
      const next = chunks.next();
      if (next.done === true) {
        writer.end();
        return { size, content: next.value };
      }
      writer.put(next.value.length);
      size += next.value.length;
      if (pacer.due) await pacer.turn();
    }
  } finally {
    breakRing(ring);
    chunks.return(0);
  }
}

/** The digest of what comes through a ring. Blocks the thread until all has come. */
export function hashRing({ ring }: { readonly ring: ChunkRing }): Promise<Digest> {
  const hash = createHash('sha256');
  try {
    for (const chunk of ringChunks(ring)) hash.update(chunk);
    return Promise.resolve(parseDigest(`sha256:${hash.digest('hex')}`));
  } finally {
    breakRing(ring);
  }
}

/** The archive itself, made on this thread. Throws as `verified`. */
export function packVerified(job: TreePackJob, diffId: Digest): AsyncGenerator<Uint8Array, void, undefined> {
  return verified(packTree(job.source, job), { diffId, path: job.source.path });
}

/** The archive of a layer whose files are at `path`. Throws `invalid` at its end if it has not the digest that it should have. */
export async function* verified(
  archive: AsyncIterable<Uint8Array>,
  { diffId, path }: { diffId: Digest; path: string },
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash('sha256');
  for await (const piece of archive) {
    hash.update(piece);
    yield piece;
  }
  const found = `sha256:${hash.digest('hex')}`;
  if (found !== diffId) {
    throw invalid(
      `The files of layer ${diffId} in "${path}" have been changed: they make an archive ${found}`,
    );
  }
}
