import { Database, type Statement } from '#/state/db.ts';
import type { Migration } from '#/state/migrations.ts';
import type { RegistryEvent } from './envelope.ts';

const migrations: readonly Migration[] = [
  {
    name: 'events',
    sql: `
      CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        endpoint TEXT NOT NULL,
        body TEXT NOT NULL
      ) STRICT;
      CREATE INDEX events_by_endpoint ON events (endpoint, id);
    `,
  },
];

/** An event that waits. */
export interface WaitingEvent {
  readonly id: number;
  readonly event: RegistryEvent;
}

/** Events that wait for their endpoints, in a file: they outlive the process. Those of one endpoint keep their order. */
export class EventQueue implements Disposable {
  readonly #db: Database;
  readonly #add: Statement;
  readonly #trim: Statement;
  readonly #first: Statement;
  readonly #done: Statement;
  readonly #count: Statement;

  /** `:memory:` is for tests. */
  constructor(path: string) {
    this.#db = new Database(path, migrations);
    this.#add = this.#db.prepare('INSERT INTO events (endpoint, body) VALUES (?, ?)');
    this.#trim = this.#db.prepare(
      'DELETE FROM events WHERE id IN (SELECT id FROM events WHERE endpoint = ?1 ORDER BY id DESC LIMIT -1 OFFSET ?2)',
    );
    this.#first = this.#db.prepare('SELECT id, body FROM events WHERE endpoint = ? ORDER BY id LIMIT ?');
    this.#done = this.#db.prepare('DELETE FROM events WHERE endpoint = ? AND id <= ?');
    this.#count = this.#db.prepare('SELECT count(*) AS n FROM events WHERE endpoint = ?');
  }

  /** Adds events for an endpoint and keeps the last `most` of all. Returns how many had to go for it. */
  add(endpoint: string, events: readonly RegistryEvent[], most: number): number {
    return this.#db.transaction(() => {
      for (const event of events) this.#add.run(endpoint, JSON.stringify(event));
      return Number(this.#trim.run(endpoint, most).changes);
    });
  }

  /** The oldest events for an endpoint. */
  first(endpoint: string, limit: number): readonly WaitingEvent[] {
    return this.#first
      .all(endpoint, limit)
      .map((row) => ({ id: Number(row['id']), event: JSON.parse(String(row['body'])) as RegistryEvent }));
  }

  /** Forgets the events up to `last`. */
  done(endpoint: string, last: number): void {
    this.#done.run(endpoint, last);
  }

  /** How many wait. */
  count(endpoint: string): number {
    return Number(this.#count.get(endpoint)?.['n'] ?? 0);
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}
