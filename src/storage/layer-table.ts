import { type Digest, parseDigest } from '#/oci/digest.ts';
import { type Database, isForeignKeyError, type Row, type Statement } from '#/state/db.ts';
import type { ChainId } from './chain-id.ts';

/** A layer that is unpacked. */
export interface Layer {
  readonly chainId: ChainId;
  /** The layer below; absent for the lowest. */
  readonly parent: ChainId | undefined;
  /** Digest of the uncompressed archive. */
  readonly diffId: Digest;
  /** The archive as it came, perhaps compressed, in the content store; of a built layer, what it would be. */
  readonly blob: Digest;
  readonly mediaType: string;
  /** Bytes of file content that it adds. */
  readonly size: number;
}

/** The rows of layers. */
export class LayerTable {
  readonly #insert: Statement;
  readonly #get: Statement;
  readonly #all: Statement;
  readonly #chain: Statement;
  readonly #delete: Statement;
  readonly #withBlob: Statement;
  readonly #blobNeeded: Statement;

  constructor(db: Database) {
    this.#insert = db.prepare(
      'INSERT INTO layers (chain_id, parent, diff_id, blob, media_type, size) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#get = db.prepare('SELECT * FROM layers WHERE chain_id = ?');
    this.#all = db.prepare('SELECT * FROM layers');
    this.#chain = db.prepare(`
      WITH RECURSIVE chain (chain_id, depth) AS (
        SELECT ?, 0
        UNION ALL SELECT l.parent, depth + 1 FROM layers l JOIN chain USING (chain_id) WHERE l.parent IS NOT NULL
      ) SELECT layers.* FROM chain JOIN layers USING (chain_id) ORDER BY depth DESC`);
    this.#delete = db.prepare('DELETE FROM layers WHERE chain_id = ?');
    this.#withBlob = db.prepare('SELECT 1 FROM layers WHERE blob = ? LIMIT 1');
    this.#blobNeeded = db.prepare('SELECT 1 FROM needed_blobs WHERE digest = ? LIMIT 1');
  }

  /** All layers, in no order. */
  all(): Layer[] {
    return this.#all.all().map(parseLayer);
  }

  get(chainId: ChainId): Layer | undefined {
    const row = this.#get.get(chainId);
    return row && parseLayer(row);
  }

  /** `top` and all layers below it, the lowest first; nothing if it is not there. */
  chain(top: ChainId): Layer[] {
    return this.#chain.all(top).map(parseLayer);
  }

  /** Adds a layer, unless there is one of this name, which is the answer then. */
  record({ chainId, parent, diffId, blob, mediaType, size }: Layer): Layer {
    const known = this.get(chainId);
    if (known !== undefined) return known;
    this.#insert.run(chainId, parent ?? null, diffId, blob, mediaType, size);
    return { chainId, parent, diffId, blob, mediaType, size };
  }

  /** False: another row refers to it. */
  delete(chainId: ChainId): boolean {
    try {
      this.#delete.run(chainId);
      return true;
    } catch (error) {
      if (isForeignKeyError(error)) return false;
      throw error;
    }
  }

  /** Tells whether a layer has this blob. */
  hasWithBlob(blob: Digest): boolean {
    return this.#withBlob.get(blob) !== undefined;
  }

  /** Tells whether a row of any kind refers to the blob. */
  needsBlob(blob: Digest): boolean {
    return this.#blobNeeded.get(blob) !== undefined;
  }
}

function parseLayer(row: Row): Layer {
  const { parent } = row;
  return {
    chainId: parseDigest(String(row['chain_id'])),
    parent: typeof parent === 'string' ? parseDigest(parent) : undefined,
    diffId: parseDigest(String(row['diff_id'])),
    blob: parseDigest(String(row['blob'])),
    mediaType: String(row['media_type']),
    size: Number(row['size']),
  };
}
