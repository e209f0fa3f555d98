import { invalid } from '#/base/errors.ts';
import { type Digest, parseDigest } from '#/oci/digest.ts';
import { canonicalString, familiarName, parseReference, type Reference } from '#/oci/reference.ts';
import type { Database, Statement } from '#/state/db.ts';

/** Who can have names. */
export interface NameOwner {
  readonly kind: 'image' | 'index';
  readonly id: Digest;
}

/** The names of images and indexes: rows, and the same in memory. Rows are changed first, in a transaction of the caller's. */
export class ImageNames {
  /** Who has a complete name. */
  readonly #owners = new Map<string, Digest>();
  /** The complete names of an owner. */
  readonly #names = new Map<Digest, Map<string, Reference>>();
  readonly #write: Statement;
  readonly #erase: Statement;

  constructor(db: Database) {
    this.#write = db.prepare(
      `INSERT INTO names (name, image, index_digest) VALUES (?, ?, ?) ON CONFLICT (name)
       DO UPDATE SET image = excluded.image, index_digest = excluded.index_digest`,
    );
    this.#erase = db.prepare('DELETE FROM names WHERE name = ?');
    for (const { name, image, index_digest: index } of db.prepare('SELECT * FROM names').all()) {
      this.remember(parseReference(String(name)), parseDigest(String(image ?? index)));
    }
  }

  /** Who has a name, which must be complete. */
  owner(reference: Reference): Digest | undefined {
    return this.#owners.get(canonicalString(reference));
  }

  /** The names of an image or index, sorted. */
  of(id: Digest): Reference[] {
    const names = [...(this.#names.get(id) ?? [])];
    return names.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, reference]) => reference);
  }

  /** Writes the row of a name. Throws `invalid` for one that reads like an identifier. */
  write(reference: Reference, { kind, id }: NameOwner): void {
    refuseAmbiguous(reference);
    const [image, index] = kind === 'image' ? [id, null] : [null, id];
    this.#write.run(canonicalString(reference), image, index);
  }

  /** Removes the row of a name. */
  erase(reference: Reference): void {
    this.#erase.run(canonicalString(reference));
  }

  /** Keeps in mind whose a name is now; returns who had it. */
  remember(reference: Reference, id: Digest): Digest | undefined {
    const previous = this.forget(reference);
    const name = canonicalString(reference);
    this.#owners.set(name, id);
    const names = this.#names.get(id) ?? new Map<string, Reference>();
    this.#names.set(id, names.set(name, reference));
    return previous;
  }

  /** Keeps in mind that nobody has a name any more; returns who had it. */
  forget(reference: Reference): Digest | undefined {
    const name = canonicalString(reference);
    const owner = this.#owners.get(name);
    if (owner === undefined) return undefined;
    this.#owners.delete(name);
    const names = this.#names.get(owner);
    names?.delete(name);
    if (names?.size === 0) this.#names.delete(owner);
    return owner;
  }
}

/** `sha256:abc` must stay an identifier. */
function refuseAmbiguous(reference: Reference): void {
  if (['sha256', 'sha384', 'sha512'].includes(familiarName(reference))) {
    throw invalid('refusing to create an ambiguous tag using digest algorithm as name');
  }
}
