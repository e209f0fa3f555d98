import type { IncomingMessage } from 'node:http';
import { messageOf } from '#/base/errors.ts';
import type { Client } from '#/client/client.ts';
import { containerStats, listContainers } from '#/client/containers.ts';
import { systemEvents } from '#/client/system.ts';
import { decodeEvent } from '#/wire/events.ts';
import { jsonTexts } from '#/wire/json-stream.ts';
import type { ContainerStats } from '#/wire/stats.ts';
import type { StatsRow } from './format/stats.ts';

interface Watched {
  readonly container: string;
  sample: ContainerStats | undefined;
  error: unknown;
  body: IncomingMessage | undefined;
}

/** Keeps the newest sample of each of several containers. */
export class StatsWatcher implements Disposable {
  readonly #client: Client;
  readonly #stream: boolean;
  readonly #all: boolean;
  readonly #watched = new Map<string, Watched>();
  #events: IncomingMessage | undefined;
  #over: Promise<void> | undefined;

  constructor(client: Client, { stream, all }: { stream: boolean; all: boolean }) {
    this.#client = client;
    this.#stream = stream;
    this.#all = all;
  }

  [Symbol.dispose](): void {
    this.#events?.destroy();
    for (const { body } of this.#watched.values()) body?.destroy();
  }

  /** In the order in which they were found. */
  samples(): StatsRow[] {
    return [...this.#watched.values()].map(({ container, sample }) => ({ container, sample }));
  }

  /** Watches these containers; settles when each of them has a sample. Throws if one has none. */
  async watch(names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.#add(name)));
    const errors = [...this.#watched.values()].flatMap(({ error }) =>
      error === undefined ? [] : [messageOf(error)],
    );
    if (errors.length > 0) throw new Error(errors.join('\n'));
  }

  /** Watches the containers that there are and those that come. */
  async watchAll(): Promise<void> {
    // Listening comes before listing, so that nothing is missed in between.
    if (this.#stream) await this.#follow();
    const containers = await listContainers(this.#client, { all: this.#all });
    await Promise.all(containers.map(({ Id }) => this.#add(Id.slice(0, 12))));
  }

  /** Waits so many milliseconds; tells whether there will be nothing new. */
  async ended(milliseconds: number): Promise<boolean> {
    const pause = new Promise<false>((resolve) => setTimeout(() => resolve(false), milliseconds));
    return this.#over === undefined ? pause : Promise.race([pause, this.#over.then(() => true)]);
  }

  async #follow(): Promise<void> {
    this.#events = await systemEvents(this.#client, { filters: { type: ['container'] } });
    this.#over = this.#readEvents(this.#events);
    // Whoever waits for the end gets the error.
    this.#over.catch(() => undefined);
  }

  async #readEvents(body: IncomingMessage): Promise<void> {
    for await (const text of jsonTexts(body)) {
      const { Action, Actor } = decodeEvent(text);
      const id = Actor.ID.slice(0, 12);
      if (Action === 'start' || (this.#all && Action === 'create')) void this.#add(id);
      else if ((Action === 'die' && !this.#all) || Action === 'destroy') this.#remove(id);
    }
  }

  #remove(id: string): void {
    this.#watched.get(id)?.body?.destroy();
    this.#watched.delete(id);
  }

  /** Settles when there is a sample or an error. */
  async #add(container: string): Promise<void> {
    if (this.#watched.has(container)) return;
    const watched: Watched = { container, sample: undefined, error: undefined, body: undefined };
    this.#watched.set(container, watched);
    const first = Promise.withResolvers<void>();
    void this.#collect(watched, first.resolve);
    await first.promise;
  }

  async #collect(watched: Watched, settled: () => void): Promise<void> {
    try {
      watched.body = await containerStats(this.#client, watched.container, { stream: this.#stream });
      for await (const text of jsonTexts(watched.body)) {
        watched.sample = JSON.parse(text) as ContainerStats;
        settled();
      }
    } catch (error) {
      watched.error = error;
    }
    settled();
  }
}
