import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, renameSync, rmdirSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { conflict, isSystemError, notFound } from '#/base/errors.ts';
import { newId } from '#/base/ids.ts';
import { KeyedLocks } from '#/base/locks.ts';
import { unmount } from '#/kernel/mount.ts';
import { isMountPoint } from '#/kernel/mountinfo.ts';
import type { Database, Row, Statement } from '#/state/db.ts';
import { Directory } from './tree/directory.ts';
import { Pacer } from './tree/pacer.ts';
import { removeTree } from './tree/remove-tree.ts';
import { isDirectory, walkTree } from './tree/walk-tree.ts';
import { mountOptions } from './volumes/option-mount.ts';
import {
  checkVolumeName,
  checkVolumeOptions,
  needsMount,
  type Strings,
  type Volume,
  type VolumeRequest,
} from './volumes/volume.ts';

/** Docker's mark of a volume that nobody gave a name. */
export const anonymousLabel = 'com.docker.volume.anonymous';

/** Begins the names of directories on their way out; no volume has such a name. */
const removalPrefix = '.removing-';

/**
 * Volumes of the `local` driver: `<root>/<name>/_data` each. A row and its directory come in one transaction; a
 * directory without a row is empty.
 *
 * A container takes a volume into use with `ref` as soon as it has chosen it, even before the container itself exists,
 * and gives it back with `unref` when it is removed. While it runs it also holds the volume's mount (`mount`,
 * `unmount`), which only volumes with options have.
 */
export class VolumeStore {
  readonly #db: Database;
  readonly #root: string;
  readonly #locks = new KeyedLocks();
  /** Containers that hold the mount of a volume, by its name. */
  readonly #mounted = new Map<string, Set<string>>();
  readonly #insert: Statement;
  readonly #delete: Statement;
  readonly #selectOne: Statement;
  readonly #selectAll: Statement;
  readonly #insertUser: Statement;
  readonly #deleteUser: Statement;
  readonly #selectUsers: Statement;
  readonly #selectAllUsers: Statement;

  private constructor({ db, root }: { db: Database; root: string }) {
    this.#db = db;
    this.#root = root;
    this.#insert = db.prepare('INSERT INTO volumes (name, created, labels, options) VALUES (?, ?, ?, ?)');
    this.#delete = db.prepare('DELETE FROM volumes WHERE name = ?');
    this.#selectOne = db.prepare('SELECT * FROM volumes WHERE name = ?');
    this.#selectAll = db.prepare('SELECT * FROM volumes ORDER BY name');
    this.#insertUser = db.prepare(
      'INSERT INTO volume_users (volume, container_id) VALUES (?, ?) ON CONFLICT DO NOTHING',
    );
    this.#deleteUser = db.prepare('DELETE FROM volume_users WHERE volume = ? AND container_id = ?');
    this.#selectUsers = db.prepare('SELECT container_id FROM volume_users WHERE volume = ?');
    this.#selectAllUsers = db.prepare('SELECT volume, container_id FROM volume_users');
  }

  /** Opens or creates the store in the directory `root`, and removes what an interrupted removal left. */
  static async open(options: { db: Database; root: string }): Promise<VolumeStore> {
    const store = new VolumeStore(options);
    await mkdir(options.root, { recursive: true, mode: 0o700 });
    using root = Directory.open(options.root);
    for (const name of await readdir(options.root)) {
      if (name.startsWith(removalPrefix)) await removeTree(root, name);
      else if (store.find(name) === undefined) store.#dropEmptyDirectory(name);
    }
    return store;
  }

  /**
   * Makes a volume; an empty name asks for a random one. One that exists is answered as it is, whatever labels and
   * options the request has: that is what Docker does and what Compose relies on. With `user` it is taken into use in
   * the same step (see `ref`): a volume that nobody named has a user from its first moment.
   */
  async create(
    request: VolumeRequest,
    { user }: { user?: string } = {},
  ): Promise<{ volume: Volume; created: boolean }> {
    const { name, labels, options } = named(request);
    checkVolumeName(name);
    using _held = await this.#locks.acquire(name);
    const existing = this.find(name);
    if (existing === undefined && options !== null) checkVolumeOptions(name, options);
    const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    try {
      this.#db.transaction(() => {
        if (existing === undefined) this.#insert.run(name, now, json(labels), json(options));
        if (user !== undefined) this.#insertUser.run(name, user);
        if (existing === undefined) this.#makeDirectory(name);
      });
    } catch (error) {
      if (existing === undefined) this.#dropEmptyDirectory(name);
      throw error;
    }
    return { volume: this.get(name), created: existing === undefined };
  }

  /** The volume of this name; throws `notFound`. */
  get(name: string): Volume {
    const volume = this.find(name);
    if (volume === undefined) throw notFound(`get ${name}: no such volume`);
    return volume;
  }

  /** The volume of this name, if there is one. */
  find(name: string): Volume | undefined {
    const row = this.#selectOne.get(name);
    return row === undefined ? undefined : this.#fromRow(row);
  }

  /** All volumes, sorted by name. */
  list(): Volume[] {
    return this.#selectAll.all().map((row) => this.#fromRow(row));
  }

  /** Which containers have the volume, running or not. */
  users(name: string): string[] {
    return this.#selectUsers.all(name).map((row) => String(row['container_id']));
  }

  /** Keeps the volume from being removed as long as the container has it. Throws `notFound`. */
  ref(name: string, containerId: string): void {
    this.get(name);
    this.#insertUser.run(name, containerId);
  }

  /** Undoes `ref`; no error if there was none. */
  unref(name: string, containerId: string): void {
    this.#deleteUser.run(name, containerId);
  }

  /**
   * Makes the volume's directory ready for a container that is about to start, and says where it is. Doing it again
   * for the same container, also after a restart of the daemon, changes nothing.
   */
  async mount(name: string, containerId: string): Promise<string> {
    using _held = await this.#locks.acquire(name);
    const volume = this.get(name);
    this.#makeDirectory(name);
    if (needsMount(volume)) {
      if (!isMountPoint(volume.mountpoint)) await mountOptions(volume);
      this.#holders(name).add(containerId);
    }
    return volume.mountpoint;
  }

  /** The container has stopped; when it was the last one the volume's own mount is taken away. */
  async unmount(name: string, containerId: string): Promise<void> {
    using _held = await this.#locks.acquire(name);
    const holders = this.#holders(name);
    holders.delete(containerId);
    if (holders.size > 0) return;
    this.#mounted.delete(name);
    this.#unmountPath(this.#dataPath(name));
  }

  /** Removes a volume and all that is in it. Throws `notFound`, `conflict` while containers but `user` have it. */
  async remove(name: string, { user }: { user?: string } = {}): Promise<void> {
    if (this.find(name) === undefined) throw notFound(`get ${name}: no such volume`);
    using _held = await this.#locks.acquire(name);
    this.get(name);
    const users = this.users(name).filter((id) => id !== user);
    if (users.length > 0) throw conflict(`remove ${name}: volume is in use - [${users.join(', ')}]`);
    this.#unmountPath(this.#dataPath(name));
    const removal = `${removalPrefix}${randomUUID()}`;
    const paths = [join(this.#root, name), join(this.#root, removal)] as const;
    try {
      renameSync(...paths);
    } catch (error) {
      if (!isSystemError(error, 'ENOENT')) throw error;
    }
    try {
      this.#db.transaction(() => {
        if (user !== undefined) this.unref(name, user);
        this.#delete.run(name);
      });
    } catch (error) {
      if (existsSync(paths[1])) renameSync(paths[1], paths[0]);
      throw error;
    }
    using root = Directory.open(this.#root);
    await removeTree(root, removal);
  }

  /** Bytes of the files in the volume, each counted once. Shares the event loop. */
  async size(name: string): Promise<number> {
    const path = this.#dataPath(name);
    // What is mounted there is not the volume's own, and may be a server that does not answer.
    if (needsMount(this.get(name))) return 0;
    using root = Directory.open(path);
    const pacer = new Pacer();
    const linked = new Set<bigint>();
    let bytes = 0;
    for (const { stat } of walkTree(root)) {
      if (pacer.due) await pacer.turn();
      if (isDirectory(stat.mode) || (stat.nlink > 1 && linked.has(stat.ino))) continue;
      linked.add(stat.ino);
      bytes += stat.size;
    }
    return bytes;
  }

  /**
   * Compares the rows with the machine at start: containers that are gone give their volumes back, mounts that no
   * running container needs are taken away. Call `mount` again for the running ones first.
   */
  reconcile({ containers }: { containers: ReadonlySet<string> }): void {
    this.#db.transaction(() => {
      for (const { volume, container_id: id } of this.#selectAllUsers.all()) {
        if (!containers.has(String(id))) this.unref(String(volume), String(id));
      }
    });
    for (const volume of this.list()) {
      if (needsMount(volume) && !this.#mounted.has(volume.name)) this.#unmountPath(volume.mountpoint);
    }
  }

  #makeDirectory(name: string): void {
    mkdirSync(join(this.#root, name), { recursive: true, mode: 0o700 });
    const path = this.#dataPath(name);
    // Only the new directory gets this mode, whatever the umask is: later it belongs to the containers.
    if (mkdirSync(path, { recursive: true }) !== undefined) chmodSync(path, 0o755);
  }

  /** Takes back `#makeDirectory`. A directory with anything in it is not ours to delete. */
  #dropEmptyDirectory(name: string): void {
    for (const path of [this.#dataPath(name), join(this.#root, name)]) {
      try {
        rmdirSync(path);
      } catch (error) {
        if (!isSystemError(error, 'ENOENT', 'ENOTEMPTY', 'ENOTDIR', 'EBUSY')) throw error;
      }
    }
  }

  #holders(name: string): Set<string> {
    const holders = this.#mounted.get(name) ?? new Set<string>();
    this.#mounted.set(name, holders);
    return holders;
  }

  #unmountPath(path: string): void {
    try {
      while (isMountPoint(path)) unmount(path, { detach: true });
    } catch (error) {
      // A removal that was interrupted can have taken the directory already.
      if (!isSystemError(error, 'ENOENT')) throw error;
    }
  }

  #dataPath(name: string): string {
    return join(this.#root, name, '_data');
  }

  #fromRow(row: Row): Volume {
    const name = String(row['name']);
    return {
      name,
      created: String(row['created']),
      labels: fromJson(row['labels']),
      options: fromJson(row['options']),
      mountpoint: this.#dataPath(name),
    };
  }
}

function named(request: VolumeRequest): VolumeRequest {
  if (request.name !== '') return request;
  return { ...request, name: newId(), labels: { ...request.labels, [anonymousLabel]: '' } };
}

function json(value: Strings | null): string | null {
  return value === null ? null : JSON.stringify(value);
}

function fromJson(column: unknown): Strings | null {
  // Written by this file only, so its shape is known.
  return typeof column === 'string' ? (JSON.parse(column) as Strings) : null;
}
