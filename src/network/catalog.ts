import { conflict, forbidden, invalid, notFound, notImplemented } from '#/base/errors.ts';
import { newId } from '#/base/ids.ts';
import type { Logger } from '#/base/log.ts';
import { nowText } from '#/base/time.ts';
import { formatIpv4 } from './address.ts';
import { parseBridgeOptions } from './bridge-options.ts';
import type { Datapath } from './datapath.ts';
import { bareNetwork, defaultBridge } from './default-networks.ts';
import type { NetworkRecord, NetworkSpec } from './model.ts';
import { planNetwork } from './network-plan.ts';
import type { BridgeRules } from './rules.ts';
import type { NetworkSettings } from './settings.ts';
import type { NetworkStore } from './store.ts';

/** The networks that exist: their rows and their bridges. */
export class Catalog {
  readonly #store: NetworkStore;
  readonly #datapath: Datapath;
  readonly #settings: NetworkSettings;
  readonly #log: Logger;

  constructor(parts: { store: NetworkStore; datapath: Datapath; settings: NetworkSettings; log: Logger }) {
    this.#store = parts.store;
    this.#datapath = parts.datapath;
    this.#settings = parts.settings;
    this.#log = parts.log;
  }

  /** Makes the default networks if they are not there, and the bridges of all networks. */
  init(): void {
    if (this.#settings.bridge !== 'none') this.#ensureDefaultBridge();
    for (const name of ['host', 'none'] as const) {
      if (this.#store.networkByName(name) === undefined)
        this.#store.insertNetwork(bareNetwork(name, nowText()));
    }
    for (const network of this.#store.networks()) this.#ensureBridge(network);
  }

  /** All networks in the order of their creation. */
  list(): NetworkRecord[] {
    return this.#store.networks();
  }

  /** The network of that id, name or unique beginning of an id, in this order. Throws `notFound`, or `invalid` if several begin so. */
  find(ref: string): NetworkRecord {
    const exact = this.#store.networkById(ref) ?? this.#store.networkByName(ref);
    if (exact !== undefined) return exact;
    const matches = ref === '' ? [] : this.#store.networks().filter(({ id }) => id.startsWith(ref));
    if (matches.length > 1)
      throw invalid(`network ${ref} is ambiguous (${matches.length} matches found on ID prefix)`);
    if (matches[0] === undefined) throw notFound(`network ${ref} not found`);
    return matches[0];
  }

  /** Makes a bridge network. The caller adds it to the packet filter. */
  create(spec: NetworkSpec): NetworkRecord {
    if (this.#store.networkByName(spec.name) !== undefined && !isDefault(spec.name)) {
      throw conflict(`network with name ${spec.name} already exists`);
    }
    const networks = this.#store.networks();
    const bridges = networks.flatMap(({ bridge }) => bridge ?? []);
    const network = planNetwork(spec, {
      id: newId(),
      created: nowText(),
      networks: bridges.map(({ subnet }) => subnet),
      routes: this.#datapath.subnetsInUse(new Set(bridges.map(({ link }) => link))),
      pools: this.#settings.pools,
    });
    this.#checkBridgeName(network, networks);
    this.#store.insertNetwork(network);
    try {
      this.#ensureBridge(network);
    } catch (error) {
      this.#datapath.removeBridge(linkOf(network));
      this.#store.deleteNetwork(network.id);
      throw error;
    }
    return network;
  }

  /** Takes a network and its bridge away. Throws `forbidden` for a default network. It must have no endpoints. */
  remove(network: NetworkRecord): void {
    if (isDefault(network.name)) {
      throw forbidden(`${network.name} is a pre-defined network and cannot be removed`);
    }
    this.#datapath.removeBridge(linkOf(network));
    this.#store.deleteNetwork(network.id);
  }

  /** What the packet filter has to know about all bridges. */
  bridgeRules(): BridgeRules[] {
    return this.#store.networks().flatMap(({ bridge, config }) => {
      if (bridge === undefined) return [];
      const { icc, masquerade } = parseBridgeOptions(config.options);
      const subnet = `${formatIpv4(bridge.subnet.base)}/${bridge.subnet.prefix}`;
      return [{ name: bridge.link, subnet, masquerade, internal: config.internal, icc }];
    });
  }

  /** Names of all bridges. */
  bridges(): Set<string> {
    return new Set(this.#store.networks().flatMap(({ bridge }) => bridge?.link ?? []));
  }

  #ensureDefaultBridge(): void {
    const { bridge: name } = this.#settings;
    const stored = this.#store.networkByName('bridge');
    const others = this.#store.networks().filter(({ id }) => id !== stored?.id);
    const taken = [
      ...others.flatMap(({ bridge }) => bridge?.subnet ?? []),
      ...this.#datapath.subnetsInUse(new Set([name])),
    ];
    const present = this.#datapath.bridgeAddress(name);
    const wanted = defaultBridge({ settings: this.#settings, stored, present, taken, now: nowText() });
    if (stored === undefined) {
      this.#store.insertNetwork(wanted);
    } else if (this.#store.endpointsIn(stored.id).length === 0 || sameAddressing(stored, wanted)) {
      this.#store.updateNetwork(wanted);
    } else {
      this.#log.warn('the default bridge keeps its old addresses while containers use them', {
        bridge: linkOf(stored),
      });
    }
  }

  #ensureBridge({ id, bridge, config }: NetworkRecord): void {
    if (bridge === undefined) return;
    const { link, subnet, gateway } = bridge;
    const address = gateway === undefined ? undefined : `${formatIpv4(gateway)}/${subnet.prefix}`;
    const mtu = parseBridgeOptions(config.options).mtu ?? this.#settings.mtu;
    this.#datapath.ensureBridge({ name: link, address, mtu, mac: bridgeMac(id) });
  }

  #checkBridgeName(network: NetworkRecord, others: readonly NetworkRecord[]): void {
    const link = linkOf(network);
    const other = others.find(({ bridge }) => bridge?.link === link);
    if (other !== undefined) {
      throw forbidden(
        `cannot create network ${network.id} (${link}): conflicts with network ${other.id} (${link}): networks have same bridge name`,
      );
    }
    if (this.#datapath.hasLink(link)) {
      throw notImplemented(`using the existing interface "${link}" for a network is not supported yet`);
    }
  }
}

function isDefault(name: string): boolean {
  return name === 'bridge' || name === 'host' || name === 'none';
}

function linkOf({ bridge }: NetworkRecord): string {
  return bridge?.link ?? '';
}

/** A local unicast address, the same each time the network's bridge is made. */
function bridgeMac(networkId: string): string {
  return `02:${networkId.slice(0, 10).replace(/..(?!$)/g, '$&:')}`;
}

function sameAddressing(a: NetworkRecord, b: NetworkRecord): boolean {
  return JSON.stringify(a.bridge) === JSON.stringify(b.bridge);
}
