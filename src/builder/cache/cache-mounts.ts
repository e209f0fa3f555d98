import { randomUUID } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { conflict, notFound } from '#/base/errors.ts';
import { KeyedLocks } from '#/base/locks.ts';
import { digestOf } from '#/oci/digest.ts';
import type { Database, Row, Statement } from '#/state/db.ts';
import { copyTree } from '#/storage/tree/copy-tree.ts';
import { Directory } from '#/storage/tree/directory.ts';
import { removeTree } from '#/storage/tree/remove-tree.ts';
import { treeUsage } from '#/storage/tree/tree-usage.ts';
import type { Access, SourceTree } from '../ops/run/definition.ts';

/** Which directory a mount wants. */
export interface CacheMountWish extends Access {
  readonly id: string;
  /** `private`: one that nobody else uses now. `locked`: the one, when nobody else who says so uses it. */
  readonly sharing: 'shared' | 'private' | 'locked';
  /** What it begins with, and the place in that. */
  readonly tree: SourceTree | undefined;
  readonly path: string;
}

/** A directory in use. Dispose of it when no process uses it any more. */
export interface CacheMount extends Disposable {
  readonly path: string;
}

/** A directory that is kept. */
export interface CacheMountRecord {
  readonly id: number;
  /** As in the Dockerfile. */
  readonly name: string;
  readonly inUse: boolean;
  /** Bytes. */
  readonly size: number;
  readonly created: Date;
  readonly used: Date;
  readonly uses: number;
}

/** What a directory is for: steps whose mounts say the same share it, on any machine. */
export interface CacheMountIdentity {
  readonly key: string;
  /** As in the Dockerfile. */
  readonly name: string;
}

/** The folder around a directory, which is `data` in it, in use. */
interface CacheMountFolder extends Disposable, CacheMountIdentity {
  readonly path: string;
}

/** The directories of RUN --mount=type=cache: they outlive the builds that fill them. */
export class CacheMounts {
  readonly #root: string;
  readonly #locks = new KeyedLocks();
  /** How many steps use a directory now. */
  readonly #users = new Map<number, number>();
  readonly #insert: Statement;
  readonly #byKey: Statement;
  readonly #byId: Statement;
  readonly #db: Database;
  readonly #all: Statement;
  readonly #use: Statement;
  readonly #setSize: Statement;
  readonly #delete: Statement;

  constructor({ db, root }: { db: Database; root: string }) {
    this.#root = root;
    this.#db = db;
    this.#byId = db.prepare('SELECT key, name FROM cache_mounts WHERE id = ?');
    this.#insert = db.prepare(
      'INSERT INTO cache_mounts (key, name, created, used, uses) VALUES (?, ?, ?3, ?3, 0) RETURNING id',
    );
    this.#byKey = db.prepare('SELECT id FROM cache_mounts WHERE key = ? ORDER BY id');
    this.#all = db.prepare('SELECT * FROM cache_mounts ORDER BY id');
    this.#use = db.prepare('UPDATE cache_mounts SET used = ?, uses = uses + 1, size = NULL WHERE id = ?');
    this.#setSize = db.prepare('UPDATE cache_mounts SET size = ? WHERE id = ?');
    this.#delete = db.prepare('DELETE FROM cache_mounts WHERE id = ?');
  }

  /** Makes rows and directories agree after the daemon has started. */
  async reconcile(): Promise<void> {
    mkdirSync(this.#root, { recursive: true, mode: 0o700 });
    const ids = new Set<string>();
    for (const { id } of this.#all.all().map(fromRow)) {
      if (existsSync(join(this.#pathOf(id), 'data'))) ids.add(String(id));
      else this.#delete.run(id);
    }
    for (const name of readdirSync(this.#root)) if (!ids.has(name)) await this.#removeFiles(name);
  }

  /** A directory for a step, made if there is none; with what is in the directory `initial` if it is new. */
  async acquire(
    wish: CacheMountWish,
    { initial, signal }: { initial: string | undefined; signal: AbortSignal },
  ): Promise<CacheMount> {
    using stack = new DisposableStack();
    const key = keyOf(wish);
    if (wish.sharing === 'locked') stack.use(await this.#locks.acquireUnless(key, signal));
    const id = await this.#find(key, wish, initial);
    this.#users.set(id, (this.#users.get(id) ?? 0) + 1);
    stack.defer(() => this.#users.set(id, (this.#users.get(id) ?? 1) - 1));
    this.#use.run(Date.now(), id);
    const owned = stack.move();
    return { path: join(this.#pathOf(id), 'data'), [Symbol.dispose]: () => owned.dispose() };
  }

  /** All of them, measured. */
  async list(): Promise<CacheMountRecord[]> {
    const records: CacheMountRecord[] = [];
    for (const row of this.#all.all()) {
      const { id, size, ...record } = fromRow(row);
      const inUse = this.#isUsed(id);
      records.push({ ...record, id, inUse, size: size ?? (await this.#measure(id, inUse)) });
    }
    return records;
  }

  /** Removes a directory. False: it is in use. */
  async remove(id: number): Promise<boolean> {
    if (this.#isUsed(id)) return false;
    this.#delete.run(id);
    await this.#removeFiles(String(id));
    return true;
  }

  /** The folder of a directory, to be looked at; it is in use meanwhile. Throws `notFound`. */
  folder(id: number): CacheMountFolder {
    const row = this.#byId.get(id);
    if (row === undefined) throw notFound(`No such cache mount: ${id}`);
    this.#users.set(id, (this.#users.get(id) ?? 0) + 1);
    return {
      path: this.#pathOf(id),
      key: String(row['key']),
      name: String(row['name']),
      [Symbol.dispose]: () => this.#users.set(id, (this.#users.get(id) ?? 1) - 1),
    };
  }

  /** An empty folder, to be filled with `data` and adopted; until then it goes when it is disposed of. */
  async draft(): Promise<{ readonly path: string } & AsyncDisposable> {
    const name = `draft-${randomUUID()}`;
    const path = join(this.#root, name);
    await mkdir(path, { mode: 0o700 });
    return { path, [Symbol.asyncDispose]: () => this.#removeFiles(name) };
  }

  /** Makes a draft the directory for an identity, instead of those that are there. Throws `conflict` while a step uses one. */
  async adopt(path: string, { key, name }: CacheMountIdentity): Promise<number> {
    using _making = await this.#locks.acquire(`making ${key}`);
    const old = this.#byKey.all(key).map((row) => Number(row['id']));
    if (old.some((id) => this.#isUsed(id))) throw conflict(`cache mount ${JSON.stringify(name)} is in use`);
    const id = this.#db.transaction(() => {
      for (const each of old) this.#delete.run(each);
      return Number(this.#insert.get(key, name, Date.now())?.['id']);
    });
    renameSync(path, this.#pathOf(id));
    for (const each of old) await this.#removeFiles(String(each));
    return id;
  }

  #isUsed(id: number): boolean {
    return (this.#users.get(id) ?? 0) > 0;
  }

  async #find(key: string, wish: CacheMountWish, initial: string | undefined): Promise<number> {
    // Two steps that come at the same time are to find the same one.
    using _making = await this.#locks.acquire(`making ${key}`);
    const ids = this.#byKey.all(key).map((row) => Number(row['id']));
    const found = wish.sharing === 'private' ? ids.find((id) => !this.#isUsed(id)) : ids[0];
    return found ?? (await this.#make(key, wish, initial));
  }

  async #make(
    key: string,
    { id: name, uid, gid, mode }: CacheMountWish,
    initial: string | undefined,
  ): Promise<number> {
    const id = Number(this.#insert.get(key, name, Date.now())?.['id']);
    try {
      const data = join(this.#pathOf(id), 'data');
      mkdirSync(data, { recursive: true, mode: 0o700 });
      if (initial !== undefined) await copyTree(initial, data);
      chownSync(data, uid, gid);
      chmodSync(data, mode);
      return id;
    } catch (error) {
      this.#delete.run(id);
      await this.#removeFiles(String(id));
      throw error;
    }
  }

  async #measure(id: number, inUse: boolean): Promise<number> {
    try {
      const { bytes } = await treeUsage(join(this.#pathOf(id), 'data'));
      if (!inUse && !this.#isUsed(id)) this.#setSize.run(bytes, id);
      return bytes;
    } catch {
      // It was removed, or somebody removes files in it.
      return 0;
    }
  }

  #pathOf(id: number): string {
    return join(this.#root, String(id));
  }

  async #removeFiles(name: string): Promise<void> {
    using root = Directory.open(this.#root);
    await removeTree(root, name);
  }
}

/** Mounts that say the same share a directory. */
function keyOf({ id, tree, path, uid, gid, mode }: CacheMountWish): string {
  const from = tree === undefined ? null : tree.kind === 'layer' ? (tree.chainId ?? 'scratch') : 'context';
  return digestOf(JSON.stringify({ id, from, path: from === null ? null : path, uid, gid, mode }));
}

function fromRow(row: Row): Omit<CacheMountRecord, 'size' | 'inUse'> & { readonly size: number | undefined } {
  const size = row['size'];
  return {
    id: Number(row['id']),
    name: String(row['name']),
    created: new Date(Number(row['created'])),
    used: new Date(Number(row['used'])),
    uses: Number(row['uses']),
    size: size === null ? undefined : Number(size),
  };
}
