import { type Duplex, pipeline } from 'node:stream';
import { constants, createGunzip, createGzip, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { invalid } from '#/base/errors.ts';
import { canGunzip, GzipInflater, InflateError } from '#/kernel/gunzip.ts';
import { type Compression, sniffAny } from '#/tar/compression-kind.ts';
import { Pacer } from '../tree/pacer.ts';

/** Large pieces: each costs a trip through the thread pool. */
const chunkSize = 256 * 1024;

/** Tells a compression by the first bytes of a stream (6 are enough). Throws `invalid` for one that Skiff does not store. */
export function sniffCompression(start: Uint8Array): Compression {
  const found = sniffAny(start);
  if (found === 'xz' || found === 'bzip2') {
    throw invalid(`Cannot read archive: ${found} compression is not supported here; use gzip, zstd or none`);
  }
  return found;
}

/** Who inflates gzip: zlib called `directly` on this thread, or node:zlib's `stream` in the thread pool, in half the speed. */
export type Inflater = 'directly' | 'stream';

/** How to undo compression. */
export interface DecompressOptions {
  /** Default: `directly` where that works. */
  readonly inflater?: Inflater;
  /** The chunks of the source and of the result are only valid until the next one is asked for: nothing need be copied. */
  readonly lent?: boolean;
}

let best: Inflater | undefined;

function bestInflater(): Inflater {
  best ??= canGunzip() ? 'directly' : 'stream';
  return best;
}

/**
 * Undoes whatever compression a stream turns out to have. Reading the result throws EngineError `invalid` when the compressed
 * data is damaged.
 */
export async function decompress(
  source: AsyncIterable<Uint8Array>,
  { inflater = bestInflater(), lent = false }: DecompressOptions = {},
): Promise<{ compression: Compression; bytes: AsyncIterable<Uint8Array> }> {
  const { start, whole } = await peek(source);
  const compression = sniffCompression(start);
  if (compression === 'none') return { compression, bytes: whole };
  if (compression !== 'gzip' || inflater === 'stream') {
    return { compression, bytes: inflated(lent ? copied(whole) : whole, compression) };
  }
  return { compression, bytes: lent ? gunzipped(whole) : copied(gunzipped(whole)) };
}

/** The first bytes of a stream, 6 if it has as many, and the stream with them. Its chunks may be lent. */
export async function peek(
  source: AsyncIterable<Uint8Array>,
): Promise<{ start: Uint8Array; whole: AsyncIterable<Uint8Array> }> {
  const chunks = source[Symbol.asyncIterator]();
  const pieces: Uint8Array[] = [];
  let size = 0;
  while (size < 6) {
    const next = await chunks.next();
    if (next.done === true) break;
    pieces.push(next.value.length < 6 ? Buffer.from(next.value) : next.value);
    size += next.value.length;
  }
  return { start: Buffer.concat(pieces), whole: resumed(pieces, chunks) };
}

async function* resumed(
  pieces: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* pieces;
    for (;;) {
      const next = await rest.next();
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await rest.return?.();
  }
}

async function* copied(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) yield Buffer.from(chunk);
}

/** Lets the thread do other things now and then: a small archive can become a large one. */
async function* gunzipped(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  using inflater = new GzipInflater();
  const pacer = new Pacer();
  try {
    for await (const chunk of source) {
      for (const piece of inflater.inflate(chunk)) {
        yield piece;
        if (pacer.due) await pacer.turn();
      }
    }
    inflater.end();
  } catch (error) {
    if (!(error instanceof InflateError)) throw error;
    throw invalid(`Cannot read archive: damaged gzip data (${error.message})`, error);
  }
}

async function* inflated(
  source: AsyncIterable<Uint8Array>,
  compression: 'gzip' | 'zstd',
): AsyncGenerator<Uint8Array, void, undefined> {
  const inflate = compression === 'gzip' ? createGunzip({ chunkSize }) : createZstdDecompress({ chunkSize });
  try {
    for await (const chunk of through(source, inflate)) yield chunk as Buffer;
  } catch (error) {
    if (!isZlibError(error)) throw error;
    throw invalid(`Cannot read archive: damaged ${compression} data (${error.message})`, error);
  }
}

function isZlibError(error: unknown): error is Error {
  // Z_DATA_ERROR, Z_BUF_ERROR, ZSTD_error_…
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z');
}

/** Compresses a stream, with a level of the format's own or its default. Deflating runs in the thread pool. */
export function compress(
  source: AsyncIterable<Uint8Array>,
  compression: Compression,
  level?: number,
): AsyncIterable<Uint8Array> {
  if (compression === 'none') return source;
  if (compression === 'gzip')
    return through(source, createGzip({ chunkSize, ...(level !== undefined && { level }) }));
  const params = level === undefined ? {} : { [constants.ZSTD_c_compressionLevel]: level };
  return through(source, createZstdCompress({ chunkSize, params }));
}

/** The output of `transform`. Failures on either side reach whoever reads it; the source is closed when nobody does. */
function through<T extends Duplex>(source: AsyncIterable<Uint8Array>, transform: T): T {
  pipeline(source, transform, () => {});
  return transform;
}
