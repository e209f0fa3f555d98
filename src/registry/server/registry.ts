import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '#/base/log.ts';
import { BcryptThread } from './access/bcrypt.ts';
import { type BuiltAccess, buildAccess } from './access/build-access.ts';
import { SwitchableAccess } from './access/switchable-access.ts';
import { PullThrough } from './cache/pull-through.ts';
import { isLoopback, type ListenAddress } from './config/address.ts';
import type { RegistryConfig } from './config/config.ts';
import { type Content, openContent } from './content.ts';
import { Collector } from './gc/collector.ts';
import { collectionRoute } from './gc/route.ts';
import { CollectionSchedule } from './gc/schedule.ts';
import { sweepAfterCrash } from './gc/sweep.ts';
import { withRepositoryLimit } from './limits/limited-links.ts';
import { UploadLimit } from './limits/upload-limit.ts';
import { listenOn } from './listen.ts';
import { EventQueue } from './notify/event-queue.ts';
import { Notifier } from './notify/notifier.ts';
import { AccessLog } from './observe/access-log.ts';
import { Metrics } from './observe/prometheus.ts';
import { RegistryMetrics } from './observe/registry-metrics.ts';
import { type Observer, observers } from './observer.ts';
import { healthRoutes, metricsRoute } from './routes/health.ts';
import { searchRoutes } from './routes/search.ts';
import { tokenRoute } from './routes/token.ts';
import { RegistryServer } from './server.ts';
import { buildServices, type Services } from './services.ts';
import { tlsOptions } from './tls.ts';

/** What a registry is opened with. */
export interface RegistryInput {
  readonly config: RegistryConfig;
  readonly log: Logger;
  /** Takes lines of the access log. */
  readonly writeRequest: (line: string) => void;
}

/** A registry with everything round it: listeners, access, limits, metrics, notifications. */
export class Registry implements AsyncDisposable {
  readonly #log: Logger;
  readonly #server: RegistryServer;
  readonly #collector: Collector;
  readonly #services: Services;
  readonly #access: SwitchableAccess;
  readonly #bcrypt: BcryptThread;
  readonly #doors: Server[] = [];
  #rest: AsyncDisposableStack;
  #cache: PullThrough | undefined;
  #built: BuiltAccess;
  #config: RegistryConfig;
  #isDraining = false;

  private constructor(
    { config, log, writeRequest }: RegistryInput,
    content: Content,
    rest: AsyncDisposableStack,
  ) {
    this.#config = config;
    this.#log = log;
    this.#rest = rest;
    this.#bcrypt = rest.use(new BcryptThread());
    this.#built = buildAccess(config, { bcrypt: this.#bcrypt, log });
    this.#access = new SwitchableAccess(this.#built.access);
    const metadata = withRepositoryLimit(content.metadata, config.limits.repository);
    const counts = new RegistryMetrics();
    const uploads = new UploadLimit(config.limits.uploads);
    counts.metrics.gauge('skiff_registry_uploads', 'Uploads under way.', () => uploads.active);
    const watchers: Observer[] = [counts];
    if (config.log.requests) watchers.push(new AccessLog(writeRequest));
    if (config.notifications.length > 0) watchers.push(this.#notifier(counts.metrics));
    const { blob, manifest } = config.limits;
    const services = buildServices({
      storage: content.storage,
      metadata,
      observer: observers(...watchers),
      limits: { maxManifestBytes: manifest, ...(blob === undefined ? {} : { maxBlobBytes: blob }) },
    });
    const { grace, uploads: uploadTimeout, policy } = config.gc;
    this.#services = services;
    this.#collector = new Collector({ services, policy, grace, uploadTimeout, log });
    this.#server = new RegistryServer({
      services,
      access: this.#access,
      log,
      routes: [
        ...healthRoutes({ metadata, isDraining: () => this.#isDraining }),
        ...searchRoutes(metadata),
        tokenRoute(() => this.#built.issuer),
        metricsRoute(counts.metrics),
        collectionRoute(this.#collector),
      ],
      admit: (call) => uploads.admit(call),
      prepare: async (call, place) =>
        this.#cache === undefined ? place : await this.#cache.prepare(call, place),
    });
    counts.metrics.gauge(
      'skiff_registry_fetching',
      'Blobs that are fetched from upstreams.',
      () => this.#cache?.fetching ?? 0,
    );
    if (config.metrics !== undefined) this.#doors.push(metricsDoor(counts.metrics));
  }

  /** Opens the content and listens. Throws what people can read when something of the configuration does not work. */
  static async open(input: RegistryInput): Promise<Registry> {
    await using stack = new AsyncDisposableStack();
    const { config } = input;
    const tls = config.tls === undefined ? undefined : tlsOptions(config.tls);
    if (
      config.auth.kind === 'some' &&
      tls === undefined &&
      !config.listen.every(isLoopback) &&
      config.url?.protocol !== 'https:'
    ) {
      input.log.warn(
        'passwords and tokens travel unencrypted: set tls, or url to the https address of a proxy that ends TLS',
      );
    }
    const content = stack.use(await openContent(config));
    const registry = new Registry(input, content, stack);
    // Of a bucket, other processes may be at work on what looks left over.
    if (config.storage.kind === 'filesystem') await sweepAfterCrash(registry.#services, registry.#collector);
    if (config.gc.interval !== undefined) {
      stack.use(
        new CollectionSchedule({
          collector: registry.#collector,
          interval: config.gc.interval,
          log: input.log,
        }),
      );
    }
    if (config.cache.length > 0) {
      const { cache: caches, data } = config;
      registry.#cache = stack.use(
        await PullThrough.open({ caches, data, services: registry.#services, log: input.log }),
      );
    }
    const addresses: ListenAddress[] = config.metrics === undefined ? [] : [config.metrics];
    for (const address of config.listen) {
      const door = registry.#server.door(tls === undefined ? {} : { tls });
      door.headersTimeout = config.limits.headerTimeout;
      door.setTimeout(config.limits.idleTimeout);
      registry.#doors.push(door);
      addresses.push(address);
    }
    try {
      for (const [index, door] of registry.#doors.entries()) {
        await listenOn(door, addresses[index] ?? { host: undefined, port: 0 });
      }
    } catch (error) {
      await registry.#server.close(0);
      for (const door of registry.#doors) door.close();
      throw error;
    }
    // From here on the registry owns what it stands on.
    registry.#rest = stack.move();
    return registry;
  }

  /** The ports that it listens on, in the order of the configuration. */
  get ports(): readonly number[] {
    return this.#doors.map((door) => {
      const address = door.address();
      return typeof address === 'object' && address !== null ? address.port : 0;
    });
  }

  /**
   * Takes over users, rules, rates, certificates and the log's level from another configuration. Throws, and changes
   * nothing, if something of it does not work.
   */
  reload(config: RegistryConfig): void {
    const built = buildAccess(config, { bcrypt: this.#bcrypt, log: this.#log });
    const tls = config.tls === undefined ? undefined : tlsOptions(config.tls);
    for (const key of changedForRestart(this.#config, config)) {
      this.#log.warn('a changed setting takes effect at the next start', { key });
    }
    this.#built = built;
    this.#access.exchange(built.access);
    if (tls !== undefined) {
      for (const door of this.#doors)
        if ('setSecureContext' in door) (door as TlsServer).setSecureContext(tls);
    }
    this.#config = config;
  }

  /** No new connections; requests under way have the time of the configuration to end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDraining = true;
    await this.#server.close(this.#config.drain);
    for (const door of this.#doors) door.close();
    await this.#rest.disposeAsync();
  }

  #notifier(metrics: Metrics): Notifier {
    const { notifications, data, url, tls, listen } = this.#config;
    const queue = this.#rest.use(new EventQueue(join(data, 'notifications.db')));
    const notifier = this.#rest.use(
      new Notifier({
        endpoints: notifications,
        queue,
        log: this.#log,
        source: {
          address: url?.host ?? `${hostname()}:${listen[0]?.port ?? 0}`,
          instance: randomUUID(),
          origin:
            url?.origin ?? `${tls === undefined ? 'http' : 'https'}://${hostname()}:${listen[0]?.port ?? 0}`,
        },
      }),
    );
    const gauge = (what: 'waiting' | 'dropped' | 'failures', help: string): void =>
      metrics.gauge(`skiff_registry_notifications_${what}`, help, () =>
        notifier.counts().map((count) => [{ endpoint: count.name }, count[what]] as const),
      );
    gauge('waiting', 'Events that wait.');
    gauge('dropped', 'Events that had to go.');
    gauge('failures', 'Requests that failed.');
    return notifier;
  }
}

/** Serves the metrics and nothing else, to whoever can reach the address. */
function metricsDoor(metrics: Metrics): Server {
  return createServer((request, response) => {
    request.resume();
    if (request.url !== '/metrics' || request.method !== 'GET') response.writeHead(404).end();
    else response.writeHead(200, { 'Content-Type': Metrics.contentType }).end(metrics.text());
  });
}

/** Keys whose change a reload does not take over. */
function changedForRestart(before: RegistryConfig, after: RegistryConfig): string[] {
  const fixed = (config: RegistryConfig): Record<string, unknown> => ({
    ...config,
    auth: undefined,
    tls: config.tls === undefined,
    limits: { ...config.limits, requests: undefined },
    log: { ...config.log, level: undefined },
  });
  const [old, fresh] = [fixed(before), fixed(after)];
  return Object.keys(fresh).filter((key) => !isDeepStrictEqual(old[key], fresh[key]));
}
