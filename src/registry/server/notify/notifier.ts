import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '#/base/errors.ts';
import type { Logger } from '#/base/log.ts';
import type { EndpointConfig } from '../config/edges.ts';
import type { Fact, Observer } from '../observer.ts';
import { type EventSource, eventsMediaType, eventsOf, type RegistryEvent } from './envelope.ts';
import type { EventQueue } from './event-queue.ts';

/** Events in one request. */
const batchSize = 50;

/** What `Notifier` needs. */
export interface NotifierInput {
  readonly endpoints: readonly EndpointConfig[];
  readonly queue: EventQueue;
  readonly source: EventSource;
  readonly log: Logger;
  /** Milliseconds before the first and between further tries; they double from the one to the other. */
  readonly backoff?: { readonly first: number; readonly longest: number };
}

interface Endpoint {
  readonly config: EndpointConfig;
  /** Facts that have not been written to the queue yet. */
  readonly fresh: RegistryEvent[];
  wake: () => void;
  failures: number;
  dropped: number;
}

/**
 * Tells endpoints what happens, by POST, each in order and at least once: an event is forgotten when the endpoint has
 * answered 2xx, and tried again until then, also after a restart. If an endpoint is away for so long that its queue is full,
 * the oldest events go.
 */
export class Notifier implements Observer, AsyncDisposable {
  readonly #input: NotifierInput;
  readonly #endpoints: readonly Endpoint[];
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;
  #flushes = false;

  /** Begins with what is in the queue. */
  constructor(input: NotifierInput) {
    this.#input = input;
    this.#endpoints = input.endpoints.map((config) => ({
      config,
      fresh: [],
      wake: () => {},
      failures: 0,
      dropped: 0,
    }));
    this.#running = Promise.all(this.#endpoints.map((endpoint) => this.#deliver(endpoint)));
  }

  observe(fact: Fact): void {
    const events = eventsOf(fact, this.#input.source);
    for (const { config, fresh } of this.#endpoints) {
      fresh.push(...events.filter(({ action }) => !config.ignore.includes(action)));
    }
    // Many facts of one turn are one transaction.
    if (events.length === 0 || this.#flushes) return;
    this.#flushes = true;
    setImmediate(() => {
      this.#flush();
    });
  }

  /** For each endpoint how many events wait, were dropped, and how many requests failed. */
  counts(): readonly { name: string; waiting: number; dropped: number; failures: number }[] {
    return this.#endpoints.map(({ config, fresh, dropped, failures }) => ({
      name: config.name,
      waiting: fresh.length + this.#input.queue.count(config.name),
      dropped,
      failures,
    }));
  }

  /** Stops; what was not delivered stays in the queue. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#flush();
    this.#stop.abort();
    for (const { wake } of this.#endpoints) wake();
    await this.#running;
  }

  #flush(): void {
    this.#flushes = false;
    for (const endpoint of this.#endpoints) {
      const { config, fresh } = endpoint;
      const events = fresh.splice(0);
      if (events.length === 0) continue;
      try {
        const dropped = this.#input.queue.add(config.name, events, config.queue);
        endpoint.dropped += dropped;
        if (dropped > 0) this.#warn(config, `its queue is full: ${dropped} events dropped`);
      } catch (error) {
        // On a full disk the registry goes on without telling.
        endpoint.dropped += events.length;
        this.#warn(config, `cannot keep events: ${messageOf(error)}`);
      }
      endpoint.wake();
    }
  }

  async #deliver(endpoint: Endpoint): Promise<void> {
    const { queue, backoff = { first: 1000, longest: 60_000 } } = this.#input;
    const { signal } = this.#stop;
    let pause = backoff.first;
    while (!signal.aborted) {
      const batch = queue.first(endpoint.config.name, batchSize);
      const last = batch.at(-1);
      if (last === undefined) {
        await new Promise<void>((resolve) => {
          endpoint.wake = resolve;
        });
        continue;
      }
      const problem = await this.#post(
        endpoint.config,
        batch.map(({ event }) => event),
      );
      if (problem === undefined) {
        queue.done(endpoint.config.name, last.id);
        pause = backoff.first;
        continue;
      }
      if (signal.aborted) return;
      endpoint.failures += 1;
      this.#warn(endpoint.config, problem);
      // Ends early, without an error, when the registry stops.
      await sleep(pause, undefined, { signal }).catch(() => undefined);
      pause = Math.min(pause * 2, backoff.longest);
    }
  }

  /** What went wrong; undefined if nothing did. */
  async #post(
    { url, headers, timeout }: EndpointConfig,
    events: readonly RegistryEvent[],
  ): Promise<string | undefined> {
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { ...headers, 'Content-Type': eventsMediaType },
        body: JSON.stringify({ events }),
        // The headers can hold a password that is for this host only.
        redirect: 'manual',
        signal: AbortSignal.any([this.#stop.signal, AbortSignal.timeout(timeout)]),
      });
      await response.body?.cancel();
      return response.ok ? undefined : `it answered ${response.status}`;
    } catch (error) {
      const { cause } = error instanceof Error ? error : {};
      return cause === undefined ? messageOf(error) : messageOf(cause);
    }
  }

  #warn({ name, url }: EndpointConfig, problem: string): void {
    this.#input.log.warn('cannot notify', { endpoint: name, host: url.host, problem });
  }
}
