import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, writeSync } from 'node:fs';
import { canDeflate, type Deflater, GzipDeflater } from '#/kernel/gzip.ts';
import { type Digest, parseDigest } from '#/oci/digest.ts';
import { Pacer } from '../tree/pacer.ts';
import { packVerified, type TreePackJob } from './hash-tree.ts';
import { followRecipe, type Recipe, type RecipeSource } from './tar-recipe.ts';

/** An archive to compress with gzip; plain data that can go to another thread. */
export interface PackJob {
  /** A file with the archive, or how to make it again. */
  readonly source: { readonly path: string } | ((RecipeSource | TreePackJob) & Pick<Recipe, 'diffId'>);
  /** The file to make. */
  readonly target: string;
  readonly deflater: Deflater;
}

/** What an archive was compressed to. */
export interface Packed {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** The quickest deflater that is there. */
export function bestDeflater(): Deflater {
  return canDeflate('isal') ? 'isal' : 'zlib';
}

const readSize = 256 * 1024;

/** Compresses an archive on this thread, with bounded memory. Throws system errors, and as `followRecipe` and `packVerified`. */
export async function packArchive(
  { source, target, deflater }: PackJob,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<Packed> {
  const pacer = new Pacer();
  using gzip = new GzipDeflater(deflater);
  using output = new HashedFile(target);
  for await (const chunk of opened(source)) {
    signal?.throwIfAborted();
    for (const piece of gzip.deflate(chunk)) output.write(piece);
    if (pacer.due) await pacer.turn();
  }
  for (const piece of gzip.end()) output.write(piece);
  return output.written();
}

function opened(source: PackJob['source']): AsyncIterable<Uint8Array> {
  if ('path' in source) return createReadStream(source.path, { highWaterMark: readSize });
  return 'recipe' in source ? followRecipe(source, source) : packVerified(source, source.diffId);
}

/** A file that is made, and its digest. */
class HashedFile implements Disposable {
  readonly #fd: number;
  readonly #hash = createHash('sha256');
  #size = 0;

  constructor(path: string) {
    this.#fd = openSync(path, 'wx', 0o600);
  }

  write(piece: Buffer): void {
    this.#hash.update(piece);
    for (let done = 0; done < piece.length; ) done += writeSync(this.#fd, piece, done);
    this.#size += piece.length;
  }

  written(): Packed {
    return { digest: parseDigest(`sha256:${this.#hash.digest('hex')}`), size: this.#size };
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
