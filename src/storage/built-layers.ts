import type { Database, Statement } from '#/state/db.ts';
import type { ChainId } from './chain-id.ts';

/** The archive of a layer that was built: never written, to be made from its snapshot. */
export interface BuiltArchive {
  /** Bytes. */
  readonly size: number;
  /** See `CommitBuiltOptions`. */
  readonly newest: number | undefined;
}

/** What is known of the archives of built layers, beside the layers' rows. */
export class BuiltLayers {
  readonly #insert: Statement;
  readonly #get: Statement;

  constructor(db: Database) {
    this.#insert = db.prepare(
      'INSERT INTO built_layers (chain_id, size, newest) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET size = excluded.size, newest = excluded.newest',
    );
    this.#get = db.prepare('SELECT size, newest FROM built_layers WHERE chain_id = ?');
  }

  record(chainId: ChainId, { size, newest }: BuiltArchive): void {
    this.#insert.run(chainId, size, newest ?? null);
  }

  get(chainId: ChainId): BuiltArchive | undefined {
    const row = this.#get.get(chainId);
    if (row === undefined) return undefined;
    const { newest } = row;
    return { size: Number(row['size']), newest: typeof newest === 'number' ? newest : undefined };
  }
}
