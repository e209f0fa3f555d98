import { conflict, invalid, notFound } from '#/base/errors.ts';
import type { Database, Row, Statement } from '#/state/db.ts';
import { type ContainerRecord, type ContainerSpec, type ContainerState, isAlive } from './model.ts';

/**
 * All containers: rows in the database and the same values in memory, where readers find them without a query. A
 * change is written to the database first; if that fails, memory keeps the old value.
 */
export class ContainerStore {
  readonly #db: Database;
  readonly #byId = new Map<string, ContainerRecord>();
  readonly #byName = new Map<string, string>();
  readonly #insertContainer: Statement;
  readonly #updateContainer: Statement;
  readonly #deleteContainer: Statement;
  readonly #putState: Statement;

  constructor(db: Database) {
    this.#db = db;
    this.#insertContainer = db.prepare(
      'INSERT INTO container (id, name, image_id, created, config) VALUES (?, ?, ?, ?, ?)',
    );
    this.#updateContainer = db.prepare('UPDATE container SET name = ?, config = ? WHERE id = ?');
    this.#deleteContainer = db.prepare('DELETE FROM container WHERE id = ?');
    this.#putState = db.prepare(
      `INSERT INTO container_state (id, kind, state, restart_count, manually_stopped) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, state = excluded.state,
         restart_count = excluded.restart_count, manually_stopped = excluded.manually_stopped`,
    );
    const rows = db.prepare('SELECT * FROM container JOIN container_state USING (id)').all();
    for (const row of rows) this.#remember(recordFrom(row));
  }

  /** Every complete container, newest first. */
  all(): ContainerRecord[] {
    const complete = [...this.#byId.values()].filter(({ state }) => state.kind !== 'creating');
    return complete.toSorted((a, b) => (a.created < b.created ? 1 : a.created > b.created ? -1 : 0));
  }

  /** Containers that are being made, or whose making was cut off when the daemon died. */
  incomplete(): ContainerRecord[] {
    return [...this.#byId.values()].filter(({ state }) => state.kind === 'creating');
  }

  /** The container with exactly this id, complete or not. */
  get(id: string): ContainerRecord | undefined {
    return this.#byId.get(id);
  }

  /** The container that a person means: by id, name (a leading slash is allowed) or unambiguous id prefix. */
  find(ref: string): ContainerRecord {
    if (ref === '') throw invalid('container name or ID must not be empty');
    const named = this.#byName.get(ref.startsWith('/') ? ref.slice(1) : ref);
    const exact = this.#byId.get(ref) ?? (named === undefined ? undefined : this.#byId.get(named));
    if (exact !== undefined) return exact;
    const matches = /^[0-9a-f]+$/.test(ref)
      ? [...this.#byId.values()].filter((c) => c.id.startsWith(ref))
      : [];
    if (matches.length > 1) throw invalid(`Multiple IDs found with provided prefix: ${ref}`);
    const only = matches[0];
    if (only === undefined) throw notFound(`No such container: ${ref}`);
    return only;
  }

  /** The containers made from an image, and those that are being made. */
  containersUsing(imageId: string): { id: string; name: string; running: boolean }[] {
    return [...this.#byId.values()]
      .filter((record) => record.imageId === imageId)
      .map(({ id, name, state }) => ({ id, name, running: isAlive(state) || state.kind === 'restarting' }));
  }

  /** Who has this name. */
  idOfName(name: string): string | undefined {
    return this.#byName.get(name);
  }

  /** Adds a container; throws a conflict if its name is taken. */
  insert(record: ContainerRecord): void {
    this.#refuseTakenName(record.name, record.id);
    this.#db.transaction(() => {
      const { id, name, imageId, created, spec } = record;
      this.#insertContainer.run(id, name, imageId, created, JSON.stringify(spec));
      this.#writeState(record);
    });
    this.#remember(record);
  }

  /** Replaces name, spec and state. */
  update(record: ContainerRecord): ContainerRecord {
    const before = this.#byId.get(record.id);
    if (before === undefined) throw notFound(`No such container: ${record.id}`);
    if (before.name !== record.name) this.#refuseTakenName(record.name, record.id);
    this.#db.transaction(() => {
      if (before.name !== record.name || before.spec !== record.spec) {
        this.#updateContainer.run(record.name, JSON.stringify(record.spec), record.id);
      }
      this.#writeState(record);
    });
    this.#byName.delete(before.name);
    this.#remember(record);
    return record;
  }

  /** Removes the row; whatever belongs to the container is gone by now. */
  delete(id: string): void {
    this.#deleteContainer.run(id);
    const record = this.#byId.get(id);
    this.#byId.delete(id);
    if (record !== undefined) this.#byName.delete(record.name);
  }

  #refuseTakenName(name: string, id: string): void {
    const holder = this.#byName.get(name);
    if (holder !== undefined && holder !== id) {
      throw conflict(
        `Conflict. The container name "/${name}" is already in use by container "${holder}". You have to remove (or rename) that container to be able to reuse that name.`,
      );
    }
  }

  #writeState({ id, state, restartCount, manuallyStopped }: ContainerRecord): void {
    this.#putState.run(id, state.kind, JSON.stringify(state), restartCount, manuallyStopped ? 1 : 0);
  }

  #remember(record: ContainerRecord): void {
    this.#byId.set(record.id, record);
    this.#byName.set(record.name, record.id);
  }
}

function recordFrom(row: Row): ContainerRecord {
  return {
    id: String(row['id']),
    name: String(row['name']),
    imageId: String(row['image_id']),
    created: String(row['created']),
    // Written by this file only, so its shape is known.
    spec: JSON.parse(String(row['config'])) as ContainerSpec,
    state: JSON.parse(String(row['state'])) as ContainerState,
    restartCount: Number(row['restart_count']),
    manuallyStopped: row['manually_stopped'] === 1,
  };
}
