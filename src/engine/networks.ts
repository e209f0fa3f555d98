import { conflict, forbidden, internal, invalid, isKind, notFound, notImplemented } from '#/base/errors.ts';
import { shortId } from '#/base/ids.ts';
import type { KeyedLocks } from '#/base/locks.ts';
import { parseTimestamp } from '#/base/timestamp.ts';
import type { NetworkRecord } from '#/network/model.ts';
import type { Networks } from '#/network/networks.ts';
import type { Filters } from '#/wire/filters.ts';
import type {
  EndpointSettings,
  Network,
  NetworkCreateRequest,
  NetworkCreateResponse,
  NetworksPruneResponse,
} from '#/wire/networks.ts';
import { type ContainerRecord, isAlive } from './containers/model.ts';
import type { ContainerNetworking } from './containers/networking.ts';
import type { ContainerStore } from './containers/store.ts';
import type { Events } from './events.ts';
import { checkFilterNames, hasLabels, matchesName, prunesLabels, untilFilter } from './filters.ts';
import { networkSpec, presentEndpoint, presentNetwork } from './network-view.ts';

/** What Docker's operations on networks work with. */
export interface NetworkParts {
  readonly networks: Networks;
  readonly connections: ContainerNetworking;
  readonly containers: ContainerStore;
  /** By container id. */
  readonly locks: KeyedLocks;
  readonly events: Events;
}

/** Who is to join which network, and how. */
export interface ConnectRequest {
  readonly network: string;
  readonly container: string;
  readonly settings: EndpointSettings | null;
}

/** Who is to leave which network. */
export interface DisconnectRequest {
  readonly network: string;
  readonly container: string;
  /** Take out an endpoint whose container is lost. */
  readonly force: boolean;
}

/** Docker's operations on networks. `ref` is a name, an id or the beginning of one. */
export class NetworkOperations {
  readonly #parts: NetworkParts;

  constructor(parts: NetworkParts) {
    this.#parts = parts;
  }

  /** The networks that the filters leave, without their containers. */
  list(filters: Filters): Network[] {
    checkFilterNames(filters, ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type']);
    const dangling = danglingFilter(filters);
    const any = (name: string, test: (value: string) => boolean): boolean => {
      const values = filters.get(name) ?? [];
      return values.length === 0 || values.some(test);
    };
    return this.#parts.networks
      .list()
      .filter(
        (network) =>
          any('driver', (driver) => driver === network.driver) &&
          any('id', (part) => matchesName(part, network.id)) &&
          any('name', (part) => matchesName(part, network.name)) &&
          any('scope', (scope) => scope === 'local') &&
          any('type', (type) => isOfType(network, type)) &&
          hasLabels(filters, network.config.labels) &&
          (dangling === undefined || dangling === this.#isDangling(network)),
      )
      .map((network) => presentNetwork(network, {}));
  }

  /** A network and the running containers in it. Other scopes than "local" have no networks. */
  inspect(ref: string, { scope = '' }: { scope?: string } = {}): Network {
    if (scope !== '' && scope !== 'local') throw notFound(`network ${ref} not found`);
    const network = this.#parts.networks.find(ref);
    const containers = this.#parts.networks.endpointsIn(network).map((endpoint) => {
      const name = this.#parts.containers.get(endpoint.containerId)?.name ?? '';
      return [endpoint.containerId, presentEndpoint(endpoint, name)] as const;
    });
    return presentNetwork(network, Object.fromEntries(containers));
  }

  /** Makes a bridge network. */
  create(request: NetworkCreateRequest): NetworkCreateResponse {
    checkKind(request);
    const network = this.#parts.networks.create(networkSpec(request));
    this.#publish('create', network);
    return { Id: network.id, Warning: '' };
  }

  /** Removes a network that no running container is in. */
  remove(ref: string): void {
    const network = this.#parts.networks.find(ref);
    const active = this.#parts.networks.endpointsIn(network).map(({ id, containerId }) => {
      const name = this.#parts.containers.get(containerId)?.name ?? '';
      return `name:"${name}" id:"${shortId(id)}"`;
    });
    if (active.length > 0 && !isPredefined(network)) {
      throw forbidden(
        `error while removing network: network ${network.name} has active endpoints (${active.join(', ')})`,
      );
    }
    this.#parts.networks.remove(network);
    this.#publish('destroy', network);
  }

  /** Connects a container: at once if it runs, and whenever it starts. */
  async connect(request: ConnectRequest): Promise<void> {
    const network = this.#parts.networks.find(request.network);
    const { id } = this.#parts.containers.find(request.container);
    using _held = await this.#parts.locks.acquire(id);
    const record = this.#changeable(id);
    checkModes(network, record);
    this.#parts.connections.enter(record, network, request.settings);
  }

  /** Takes a container out of a network, for now and for its next start. */
  async disconnect({ network: ref, container, force }: DisconnectRequest): Promise<void> {
    const network = this.#parts.networks.find(ref);
    const id = this.#idOf(container, force);
    using _held = await this.#parts.locks.acquire(id);
    const record = this.#changeable(id);
    if (network.driver === 'host' && record.spec.hostConfig.NetworkMode === 'host') {
      throw invalid(
        'cannot disconnect container from host network - container was created in host network mode',
      );
    }
    if (!this.#parts.connections.leave(record, network)) {
      throw internal(`container ${id} is not connected to network ${network.name}`);
    }
  }

  /** Removes networks that no container uses, running or not. */
  prune(filters: Filters): NetworksPruneResponse {
    checkFilterNames(filters, ['label', 'label!', 'until']);
    const until = untilFilter(filters);
    const deleted: string[] = [];
    for (const network of this.#parts.networks.list()) {
      if (!this.#isDangling(network) || !prunesLabels(filters, network.config.labels)) continue;
      if (until !== undefined && parseTimestamp(network.created, Date.now()) > until) continue;
      this.#parts.networks.remove(network);
      this.#publish('destroy', network);
      deleted.push(network.name);
    }
    this.#parts.events.publish({
      type: 'network',
      action: 'prune',
      actor: { id: '', attributes: { reclaimed: '0' } },
    });
    return { NetworksDeleted: deleted.length > 0 ? deleted : null };
  }

  /** Neither the networks that are always there nor those that a stopped container will want again. */
  #isDangling(network: NetworkRecord): boolean {
    if (isPredefined(network) || this.#parts.networks.endpointsIn(network).length > 0) return false;
    const { containers, connections } = this.#parts;
    const isMeant = (ref: string): boolean => ref === network.name || ref === network.id;
    return ![...containers.all(), ...containers.incomplete()].some((record) =>
      connections.namesOf(record).some(isMeant),
    );
  }

  #idOf(container: string, force: boolean): string {
    try {
      return this.#parts.containers.find(container).id;
    } catch (error) {
      // With force Docker looks for an endpoint that a lost container has left; here those do not outlive a start.
      if (force && isKind(error, 'notFound')) throw notFound(`endpoint ${container} not found`, error);
      throw error;
    }
  }

  #changeable(id: string): ContainerRecord {
    const record = this.#parts.containers.find(id);
    if (record.state.kind === 'removing' || record.state.kind === 'dead') {
      throw conflict(
        `container ${id} is marked for removal and cannot be connected or disconnected to the network`,
      );
    }
    return record;
  }

  #publish(action: 'create' | 'destroy', { id, name, driver }: NetworkRecord): void {
    this.#parts.events.publish({
      type: 'network',
      action,
      actor: { id, attributes: { name, type: driver } },
    });
  }
}

function checkKind(request: NetworkCreateRequest): void {
  if (request.Scope === 'swarm')
    throw forbidden('cannot create a swarm scoped network when swarm is not active');
  if (request.Ingress === true) throw forbidden('Ingress network can only be global scope network');
  if (request.ConfigOnly === true || (request.ConfigFrom?.Network ?? '') !== '') {
    throw notImplemented('networks that only hold configuration are not implemented');
  }
  if (request.EnableIPv4 === false) {
    if (request.EnableIPv6 === true) throw notImplemented('IPv6 networks are not supported yet');
    throw invalid('IPv4 or IPv6 must be enabled');
  }
}

function checkModes(network: NetworkRecord, { spec, state }: ContainerRecord): void {
  const mode = spec.hostConfig.NetworkMode;
  if (network.driver === 'host') {
    throw invalid(
      'cannot connect container to host network - container must be created in host network mode',
    );
  }
  if (network.driver === 'null' || (mode === 'none' && isAlive(state))) {
    throw invalid(
      'container cannot be connected to multiple networks with one of the networks in private (none) mode',
    );
  }
  if (mode === 'host' || mode.startsWith('container:')) {
    throw invalid(
      'container sharing network namespace with another container or host cannot be connected to any other network',
    );
  }
}

function isPredefined({ name }: NetworkRecord): boolean {
  return name === 'bridge' || name === 'host' || name === 'none';
}

function isOfType(network: NetworkRecord, type: string): boolean {
  if (type === 'builtin') return isPredefined(network);
  if (type === 'custom') return !isPredefined(network);
  throw invalid(`invalid filter: 'type'='${type}'`);
}

function danglingFilter(filters: Filters): boolean | undefined {
  const [value] = filters.get('dangling') ?? [];
  if (value === undefined) return undefined;
  if (value === 'true' || value === '1') return true;
  if (value === 'false' || value === '0') return false;
  throw invalid(`invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`);
}
