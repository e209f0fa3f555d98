import { forbidden, internal, messageOf } from '#/base/errors.ts';
import { newId, shortId } from '#/base/ids.ts';
import type { Database } from '#/state/db.ts';
import { formatIpv4 } from './address.ts';
import { parseBridgeOptions } from './bridge-options.ts';
import { type Datapath, setDefaultRoute } from './datapath.ts';
import { type ConnectRequest, type EndpointInfo, portRules, toInfo } from './endpoint-info.ts';
import {
  checkWishes,
  chooseAddress,
  freeInterface,
  gatewayPlace,
  macOf,
  type Place,
} from './endpoint-plan.ts';
import type { Firewall } from './firewall.ts';
import { HostPorts } from './host-ports.ts';
import { type EndpointRecord, hostLinkOf, type NetworkRecord } from './model.ts';
import type { PublishedPort } from './port-request.ts';
import type { NetworkStore } from './store.ts';

/** What endpoints are made with. */
export interface EndpointParts {
  readonly db: Database;
  readonly store: NetworkStore;
  readonly datapath: Datapath;
  /** undefined: the packet filter is left alone. */
  readonly firewall: Firewall | undefined;
  readonly sandboxOf: (containerId: string) => string;
  /** Largest packet of networks that do not set it; undefined: the kernel's default. Bytes. */
  readonly mtu: number | undefined;
}

/** A host port that a running container had and has no more. */
export interface LostPort {
  readonly containerId: string;
  readonly port: PublishedPort;
}

/** Running containers in networks: rows, links, host ports and rules of each, made and taken away together. */
export class Endpoints implements Disposable {
  readonly #parts: EndpointParts;
  readonly #store: NetworkStore;
  readonly #hostPorts = new HostPorts();

  constructor(parts: EndpointParts) {
    this.#parts = parts;
    this.#store = parts.store;
  }

  /** See `Networks.connect`. */
  connect(network: NetworkRecord, request: ConnectRequest): EndpointInfo {
    checkWishes(network, request);
    if (this.#store.endpoint(network.id, request.containerId) !== undefined) {
      throw forbidden(
        `endpoint with name ${request.containerName} already exists in network ${network.name}`,
      );
    }
    const endpoint = this.#plan(network, request);
    using undo = new DisposableStack();
    undo.defer(() => this.#drop([endpoint]));
    if (network.bridge !== undefined) {
      this.#attach({ endpoint, network });
      undo.defer(() => this.#parts.datapath.detach(hostLinkOf(endpoint.id)));
      this.#parts.firewall?.publish(portRules(endpoint));
    }
    undo.move();
    return toInfo({ endpoint, network });
  }

  /** See `Networks.disconnect`. */
  disconnect(network: NetworkRecord, containerId: string): void {
    const endpoint = this.#store.endpoint(network.id, containerId);
    if (endpoint === undefined) {
      throw internal(`container ${containerId} is not connected to network ${network.name}`);
    }
    const before = gatewayPlace(this.placesOf(containerId));
    this.#drop([endpoint]);
    if (network.bridge === undefined) return;
    this.#parts.datapath.detach(hostLinkOf(endpoint.id));
    if (before?.endpoint.id === endpoint.id) this.#route(gatewayPlace(this.placesOf(containerId)));
  }

  /** Takes a container that has ended out of all networks; its links go with its sandbox. */
  release(containerId: string): void {
    const endpoints = this.#store.endpointsOf(containerId);
    this.#drop(endpoints);
    for (const { id, address } of endpoints) {
      if (address !== undefined) this.#parts.datapath.cutOff(hostLinkOf(id));
    }
  }

  /** Forgets the endpoints of all containers but the live ones and takes the ports of these; returns what is gone. */
  restore(live: ReadonlySet<string>): LostPort[] {
    this.#parts.db.transaction(() => {
      for (const { id, containerId } of this.#store.endpoints()) {
        if (!live.has(containerId)) this.#store.deleteEndpoint(id);
      }
    });
    return this.#store.endpoints().flatMap(({ id, containerId, ports }) => {
      const lost = this.#hostPorts.restore(id, ports);
      for (const port of lost) this.#store.deletePort(port);
      return lost.map((port) => ({ containerId, port }));
    });
  }

  /** A container's endpoints with their networks. */
  placesOf(containerId: string): Place[] {
    return this.#store.endpointsOf(containerId).map((endpoint) => {
      const network = this.#store.networkById(endpoint.networkId);
      if (network === undefined) throw new Error(`endpoint ${shortId(endpoint.id)} has no network`);
      return { endpoint, network };
    });
  }

  /** Lets go of all host ports. */
  [Symbol.dispose](): void {
    this.#hostPorts[Symbol.dispose]();
  }

  /** Takes host ports and writes all rows of a new endpoint, or neither. */
  #plan(network: NetworkRecord, request: ConnectRequest): EndpointRecord {
    const { containerId, aliases = [], gatewayPriority = 0 } = request;
    const id = newId();
    using undo = new DisposableStack();
    undo.defer(() => this.#hostPorts.release(id));
    const endpoint = this.#parts.db.transaction(() => {
      const config = { aliases, gatewayPriority };
      const addressing = this.#addressing(network, request);
      const ports = this.#takePorts({ id, network, address: addressing.address }, request);
      const record: EndpointRecord = { id, networkId: network.id, containerId, config, ...addressing, ports };
      this.#store.insertEndpoint(record);
      return record;
    });
    undo.move();
    return endpoint;
  }

  #addressing(
    network: NetworkRecord,
    request: ConnectRequest,
  ): Pick<EndpointRecord, 'address' | 'mac' | 'interface'> {
    if (network.bridge === undefined) return { address: undefined, mac: undefined, interface: undefined };
    const { id, config } = network;
    const address = chooseAddress(network, request.ip, {
      cursor: this.#store.cursor(id),
      isTaken: (candidate) => this.#store.isAddressTaken(id, candidate),
    });
    if (request.ip === undefined) this.#store.setCursor(id, address);
    const { interfacePrefix } = parseBridgeOptions(config.options);
    const others = this.#store.endpointsOf(request.containerId);
    return { address, mac: request.mac ?? macOf(address), interface: freeInterface(interfacePrefix, others) };
  }

  #takePorts(
    endpoint: { id: string; network: NetworkRecord; address: number | undefined },
    { ports = [], containerName }: ConnectRequest,
  ): PublishedPort[] {
    const { id, network, address } = endpoint;
    if (ports.length === 0 || address === undefined || network.config.internal) return [];
    try {
      return this.#hostPorts.allocate(id, ports, {
        defaultIp: parseBridgeOptions(network.config.options).hostIp,
        containerIp: formatIpv4(address),
        inUse: (protocol, hostIp, hostPort) => this.#store.portInConflict(protocol, hostIp, hostPort),
      });
    } catch (error) {
      const where = `driver failed programming external connectivity on endpoint ${containerName} (${id})`;
      throw internal(`${where}: ${messageOf(error)}`, error);
    }
  }

  #attach({ endpoint, network: { bridge, config } }: Place): void {
    const { id, containerId, address, mac, interface: name } = endpoint;
    if (bridge === undefined || address === undefined || mac === undefined || name === undefined) return;
    const { icc, mtu = this.#parts.mtu } = parseBridgeOptions(config.options);
    const isGateway = gatewayPlace(this.placesOf(containerId))?.endpoint.id === id;
    this.#parts.datapath.attach({
      hostLink: hostLinkOf(id),
      bridge: bridge.link,
      sandbox: this.#parts.sandboxOf(containerId),
      interface: name,
      address: `${formatIpv4(address)}/${bridge.subnet.prefix}`,
      mac,
      mtu,
      isolated: !icc,
      gateway: isGateway && bridge.gateway !== undefined ? formatIpv4(bridge.gateway) : undefined,
    });
  }

  #route(place: Place | undefined): void {
    const gateway = place?.network.bridge?.gateway;
    if (place?.endpoint.interface === undefined || gateway === undefined) return;
    setDefaultRoute({
      sandbox: this.#parts.sandboxOf(place.endpoint.containerId),
      interface: place.endpoint.interface,
      gateway: formatIpv4(gateway),
    });
  }

  /** Forgets endpoints: rows, rules, held ports, in this order. What the daemon's death cuts off, `restore` finishes. */
  #drop(endpoints: readonly EndpointRecord[]): void {
    if (endpoints.length === 0) return;
    this.#parts.db.transaction(() => {
      for (const { id } of endpoints) this.#store.deleteEndpoint(id);
    });
    this.#parts.firewall?.unpublish(endpoints.flatMap(portRules));
    for (const { id } of endpoints) this.#hostPorts.release(id);
  }
}
