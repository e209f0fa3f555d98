import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { algorithmOf, type Digest, parseDigest } from '#/oci/digest.ts';
import { decompress } from './compression.ts';
import { bounded } from './expansion.ts';
import { type ExtractOptions, type ExtractResult, extractTar } from './extract.ts';
import { type Growth, GrowthGauge, readGrowing } from './growing-file.ts';

/** A layer's blob to unpack; plain data that can go to another thread. */
export interface UnpackJob {
  /** The blob's file: checked against its digest, or still growing, to be checked before the result is used. */
  readonly path: string;
  readonly digest: Digest;
  readonly target: Omit<ExtractOptions, 'signal'>;
  /** Absent for a file that is whole. */
  readonly growing?: { readonly growth: Growth; readonly later: string };
}

/** What came out of a blob. */
export interface Unpacked extends ExtractResult {
  /** Digest of the uncompressed archive. */
  readonly diffId: Digest;
}

/** Who wants to know how far unpacking is, and to end it. */
export interface UnpackControl {
  readonly signal?: AbortSignal;
  /** Called now and then with how many bytes of the blob were read. */
  readonly onProgress?: (bytes: number) => void;
}

/** Unpacks a blob, whatever its compression, on this thread. `gauge` is for one that grows. Throws as `extractTar`. */
export async function unpackBlob(
  job: UnpackJob,
  control: UnpackControl = {},
  gauge: GrowthGauge = new GrowthGauge({ available: statSync(job.path).size, ended: true }),
): Promise<Unpacked> {
  const place = { path: job.path, later: job.growing?.later ?? job.path };
  const file = readGrowing(place, gauge, control.signal);
  const hash = createHash('sha256');
  const progress = { read: 0 };
  // Each chunk is hashed and written before the next one is asked for.
  const { compression, bytes } = await decompress(watched(file, progress, control), { lent: true });
  const options = control.signal === undefined ? job.target : { ...job.target, signal: control.signal };
  if (compression === 'none' && algorithmOf(job.digest) === 'sha256') {
    return { ...(await extractTar(bytes, options)), diffId: job.digest };
  }
  const result = await extractTar(
    hashed(
      bounded(bytes, () => progress.read),
      hash,
    ),
    options,
  );
  return { ...result, diffId: parseDigest(`sha256:${hash.digest('hex')}`) };
}

async function* watched(
  source: AsyncIterable<Uint8Array>,
  progress: { read: number },
  { signal, onProgress }: UnpackControl,
): AsyncGenerator<Uint8Array, void, undefined> {
  let done = 0;
  for await (const chunk of source) {
    signal?.throwIfAborted();
    progress.read += chunk.length;
    yield chunk;
    done += chunk.length;
    onProgress?.(done);
  }
}

async function* hashed(
  source: AsyncIterable<Uint8Array>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) {
    hash.update(chunk);
    yield chunk;
  }
}
