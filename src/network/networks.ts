import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { forbidden } from '#/base/errors.ts';
import { shortId } from '#/base/ids.ts';
import type { Logger } from '#/base/log.ts';
import { createNetns, removeNetns } from '#/kernel/namespaces.ts';
import type { Database } from '#/state/db.ts';
import { Catalog } from './catalog.ts';
import { Datapath, startLoopback } from './datapath.ts';
import { type ConnectRequest, type EndpointInfo, portRules, toInfo } from './endpoint-info.ts';
import { Endpoints, type LostPort } from './endpoints.ts';
import { Firewall } from './firewall.ts';
import { planForwarding } from './forwarding.ts';
import { hostLinkOf, type NetworkRecord, type NetworkSpec } from './model.ts';
import type { TableContents } from './rules.ts';
import type { NetworkSettings } from './settings.ts';
import { NetworkStore } from './store.ts';
import { startForwarding } from './sysctl.ts';

/**
 * The networks of this host and the running containers in them.
 *
 * The life of a container's network: `createSandbox`, `connect` for each of its networks, the container runs,
 * `release`. Whatever is made has a row first; `reconcile` at the start of the daemon takes over the sandboxes,
 * endpoints and ports of containers that have gone on running, and clears away what belongs to nobody.
 *
 * Every method is synchronous, so two of them never meet half-way.
 */
export class Networks implements Disposable {
  readonly #log: Logger;
  readonly #settings: NetworkSettings;
  readonly #sandboxes: string;
  readonly #store: NetworkStore;
  readonly #catalog: Catalog;
  readonly #endpoints: Endpoints;
  readonly #datapath = new Datapath();
  readonly #firewall: Firewall | undefined;
  #guard = false;

  /** Manages the network namespace that it is constructed in. Changes nothing before `init`. */
  constructor(options: { db: Database; log: Logger; execRoot: string; settings: NetworkSettings }) {
    const { db, log, settings } = options;
    this.#log = log;
    this.#settings = settings;
    this.#sandboxes = join(options.execRoot, 'netns');
    this.#store = new NetworkStore(db);
    this.#firewall = settings.firewall ? new Firewall(() => this.#tableContents(), log) : undefined;
    const parts = {
      db,
      log,
      settings,
      store: this.#store,
      datapath: this.#datapath,
      firewall: this.#firewall,
    };
    this.#catalog = new Catalog(parts);
    this.#endpoints = new Endpoints({ ...parts, mtu: settings.mtu, sandboxOf: (id) => this.sandboxOf(id) });
  }

  /** Makes the default networks, all bridges and the packet filter's table; call `reconcile` next. */
  init(): void {
    mkdirSync(this.#sandboxes, { recursive: true, mode: 0o700 });
    this.#catalog.init();
    const { guard, start } = planForwarding(this.#store, this.#settings);
    this.#guard = guard;
    // The guard is up before the host becomes a router.
    this.#firewall?.replace();
    if (start) startForwarding();
    for (const chain of this.#firewall?.foreignDrops() ?? []) {
      this.#log.warn('another firewall drops forwarded packets: containers may have no way out', { chain });
    }
  }

  /**
   * Makes rows, kernel and packet filter agree after the daemon has started: `live` are the containers that run.
   * Returns ports that they have lost, because another program took them meanwhile.
   */
  reconcile(live: ReadonlySet<string>): LostPort[] {
    const lost = this.#endpoints.restore(live);
    this.#firewall?.replace();
    const known = new Set(this.#store.endpoints().map(({ id }) => hostLinkOf(id)));
    for (const { name } of this.#datapath.endpointsOn(this.#catalog.bridges())) {
      if (!known.has(name)) this.#datapath.detach(name);
    }
    for (const id of readdirSync(this.#sandboxes)) {
      if (!live.has(id)) removeNetns(this.sandboxOf(id));
    }
    return lost;
  }

  /** All networks in the order of their creation. */
  list(): NetworkRecord[] {
    return this.#catalog.list();
  }

  /** The network of that id, name or unique beginning of an id. Throws `notFound` or `invalid`. */
  find(ref: string): NetworkRecord {
    return this.#catalog.find(ref);
  }

  /** Makes a bridge network. */
  create(spec: NetworkSpec): NetworkRecord {
    const network = this.#catalog.create(spec);
    this.#firewall?.replace();
    return network;
  }

  /** Removes a network. Throws `forbidden` for a default network, and while containers are in it. */
  remove(network: NetworkRecord): void {
    const active = this.#store.endpointsIn(network.id).map(({ id }) => shortId(id));
    if (active.length > 0) {
      throw forbidden(
        `error while removing network: network ${network.name} has active endpoints (${active.join(', ')})`,
      );
    }
    this.#catalog.remove(network);
    this.#firewall?.replace();
  }

  /** The endpoints in a network. */
  endpointsIn(network: NetworkRecord): EndpointInfo[] {
    return this.#store.endpointsIn(network.id).map((endpoint) => toInfo({ endpoint, network }));
  }

  /** The endpoints of a container. */
  endpointsOf(containerId: string): EndpointInfo[] {
    return this.#endpoints.placesOf(containerId).map(toInfo);
  }

  /** Where the network namespace of a container is pinned. */
  sandboxOf(containerId: string): string {
    return join(this.#sandboxes, containerId);
  }

  /** Makes a network namespace with nothing but a loopback device for a container and returns its path. */
  createSandbox(containerId: string): string {
    const path = this.sandboxOf(containerId);
    // Left over from a start that was cut short.
    if (existsSync(path)) removeNetns(path);
    createNetns(path);
    try {
      startLoopback(path);
    } catch (error) {
      removeNetns(path);
      throw error;
    }
    return path;
  }

  /**
   * Connects a container to a network: an address, an interface in its sandbox, its published ports. In the networks
   * "host" and "none" it only gets a row. On failure nothing remains.
   */
  connect(request: ConnectRequest): EndpointInfo {
    return this.#endpoints.connect(this.find(request.network), request);
  }

  /** Takes a running container out of a network. Throws if it is not in it. */
  disconnect({ network, containerId }: { network: string; containerId: string }): void {
    this.#endpoints.disconnect(this.find(network), containerId);
  }

  /** Takes a container that has ended out of all networks and removes its sandbox. Repeating it is fine. */
  release(containerId: string): void {
    this.#endpoints.release(containerId);
    removeNetns(this.sandboxOf(containerId));
  }

  /** Takes bridges and rules away when nothing runs any more; networks stay known and come back with `init`. */
  tearDown(): void {
    this.#firewall?.remove();
    for (const bridge of this.#catalog.bridges()) this.#datapath.removeBridge(bridge);
  }

  /** Lets go of sockets and stops watching the rules; containers keep their networks. */
  [Symbol.dispose](): void {
    this.#firewall?.[Symbol.dispose]();
    this.#endpoints[Symbol.dispose]();
    this.#datapath[Symbol.dispose]();
  }

  #tableContents(): TableContents {
    const ports = this.#store.endpoints().flatMap(portRules);
    return { bridges: this.#catalog.bridgeRules(), ports, guard: this.#guard };
  }
}
