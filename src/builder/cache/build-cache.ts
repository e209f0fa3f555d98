import { type Digest, parseDigest } from '#/oci/digest.ts';
import type { Database, Row, Statement } from '#/state/db.ts';
import type { ChainId } from '#/storage/chain-id.ts';
import type { Layers } from '#/storage/layers.ts';
import type { KeyDocument } from './key.ts';

/** The result of a step that is kept. */
export interface CacheEntry {
  readonly key: Digest;
  /** Undefined: no layer at all. */
  readonly layer: ChainId | undefined;
  readonly parent: ChainId | undefined;
  /** Which step of which stage it was. */
  readonly place: string;
  readonly description: string;
  /** What `key` is the digest of. */
  readonly inputs: KeyDocument;
  /** When the result was made, RFC 3339. */
  readonly created: string;
  /** Bytes that the step added. */
  readonly size: number;
}

/** An entry with its use. */
export interface UsedEntry extends CacheEntry {
  readonly used: Date;
  readonly uses: number;
}

/** Results of steps by what decided on them, in the database. Each keeps its layer. */
export class BuildCache {
  readonly #db: Database;
  readonly #layers: Layers;
  readonly #get: Statement;
  readonly #put: Statement;
  readonly #use: Statement;
  readonly #all: Statement;
  readonly #nearest: Statement;
  readonly #delete: Statement;

  constructor({ db, layers }: { db: Database; layers: Layers }) {
    this.#db = db;
    this.#layers = layers;
    this.#get = db.prepare('SELECT * FROM build_cache WHERE key = ?');
    this.#put = db.prepare(`
      INSERT INTO build_cache (key, layer, parent, place, description, inputs, created, used, uses, size)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?)
      ON CONFLICT DO UPDATE SET layer = excluded.layer, parent = excluded.parent, place = excluded.place,
        description = excluded.description, created = excluded.created, used = excluded.used, uses = uses + 1,
        size = excluded.size`);
    this.#use = db.prepare('UPDATE build_cache SET used = ?, uses = uses + 1 WHERE key = ?');
    this.#all = db.prepare('SELECT * FROM build_cache ORDER BY used DESC');
    this.#nearest = db.prepare(`
      SELECT * FROM build_cache WHERE place = ?1 AND key <> ?2
      ORDER BY description = ?3 DESC, parent IS ?4 DESC, used DESC LIMIT 1`);
    this.#delete = db.prepare('DELETE FROM build_cache WHERE key = ?');
  }

  /** The result for a key, if there is one whose files are there. */
  find(key: Digest): UsedEntry | undefined {
    const row = this.#get.get(key);
    if (row === undefined) return undefined;
    const entry = fromRow(row);
    return entry.layer === undefined || this.#layers.usable(entry.layer) !== undefined ? entry : undefined;
  }

  /** Keeps a result, which replaces one of the same key. Its layer must be held. */
  put(entry: CacheEntry): void {
    const { key, layer, parent, place, description, inputs, created, size } = entry;
    this.#put.run(
      key,
      layer ?? null,
      parent ?? null,
      place,
      description,
      JSON.stringify(inputs),
      created,
      Date.now(),
      size,
    );
  }

  /** Takes note that these were used. */
  use(keys: readonly Digest[]): void {
    if (keys.length === 0) return;
    const now = Date.now();
    this.#db.transaction(() => {
      for (const key of keys) this.#use.run(now, key);
    });
  }

  /** What was last done at a place with another key: the same instruction rather than another, on the same layers rather than others. */
  nearest({
    place,
    key,
    description,
    parent,
  }: Pick<CacheEntry, 'place' | 'key' | 'description' | 'parent'>): CacheEntry | undefined {
    const row = this.#nearest.get(place, key, description, parent ?? null);
    return row && fromRow(row);
  }

  /** All, the last used first. */
  list(): UsedEntry[] {
    return this.#all.all().map(fromRow);
  }

  /** Forgets results; layers that nothing else needs go with them. */
  async remove(entries: readonly CacheEntry[]): Promise<void> {
    this.#db.transaction(() => {
      for (const { key } of entries) this.#delete.run(key);
    });
    for (const { layer } of entries) if (layer !== undefined) await this.#layers.release(layer);
  }
}

function fromRow(row: Row): UsedEntry {
  const { layer, parent } = row;
  return {
    key: parseDigest(String(row['key'])),
    layer: typeof layer === 'string' ? parseDigest(layer) : undefined,
    parent: typeof parent === 'string' ? parseDigest(parent) : undefined,
    place: String(row['place']),
    description: String(row['description']),
    inputs: JSON.parse(String(row['inputs'])) as KeyDocument,
    created: String(row['created']),
    used: new Date(Number(row['used'])),
    uses: Number(row['uses']),
    size: Number(row['size']),
  };
}
