import type { Subnet } from './address.ts';
import type { PublishedPort } from './port-request.ts';

/** `host` and `null` (the network called "none") exist once each; `bridge` networks are made by people. */
export type NetworkDriver = 'bridge' | 'host' | 'null';

/** One address pool as somebody asked for it; text as given. */
export interface PoolSpec {
  /** `a.b.c.d/n`; undefined: one is picked. */
  readonly subnet?: string;
  /** Part of the subnet that addresses are handed out from. */
  readonly range?: string;
  readonly gateway?: string;
  /** Addresses in use by others, by a name of theirs. */
  readonly auxiliary?: Readonly<Record<string, string>>;
}

/** What somebody asks for to make a network. */
export interface NetworkSpec {
  readonly name: string;
  /** Empty: `bridge`. */
  readonly driver: string;
  /** No way out of the network. */
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly enableIpv6: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Of the driver, by Docker's names: see `parseBridgeOptions`. */
  readonly options: Readonly<Record<string, string>>;
  readonly ipam: {
    /** Empty: `default`. */
    readonly driver: string;
    readonly options: Readonly<Record<string, string>> | null;
    readonly pools: readonly PoolSpec[];
  };
}

/** The part of a bridge network that the kernel knows about. */
export interface BridgeAddressing {
  /** Name of the bridge's link. */
  readonly link: string;
  readonly subnet: Subnet;
  /** The bridge's own address; undefined: it has none. */
  readonly gateway: number | undefined;
}

/** A network as the database knows it. */
export interface NetworkRecord {
  readonly id: string;
  readonly name: string;
  readonly driver: NetworkDriver;
  /** RFC 3339 with nanoseconds. */
  readonly created: string;
  /** Present exactly for the driver `bridge`. */
  readonly bridge: BridgeAddressing | undefined;
  readonly config: NetworkConfig;
}

/** The rest of a network: what nobody searches by. */
export interface NetworkConfig {
  readonly internal: boolean;
  readonly attachable: boolean;
  /** Somebody chose the subnet: only then may endpoints ask for certain addresses, since it will stay the same. */
  readonly subnetChosen: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  /** As asked for, completed with what was picked; empty for host and none. */
  readonly ipam: NetworkSpec['ipam'];
}

/** A running container's place in a network. */
export interface EndpointRecord {
  readonly id: string;
  readonly networkId: string;
  readonly containerId: string;
  /** Present exactly in bridge networks, like the MAC address and the interface. */
  readonly address: number | undefined;
  readonly mac: string | undefined;
  /** Name of the link inside the container. */
  readonly interface: string | undefined;
  readonly config: EndpointConfig;
  readonly ports: readonly PublishedPort[];
}

/** What was asked for an endpoint beside addresses. */
export interface EndpointConfig {
  /** Further names of the container in this network. */
  readonly aliases: readonly string[];
  /** The endpoint with the highest one has the default route. */
  readonly gatewayPriority: number;
}

/** Name of the host's end of an endpoint's veth pair: `skv` and 12 digits, all that IFNAMSIZ has room for. */
export function hostLinkOf(endpointId: string): string {
  return `skv${endpointId.slice(0, 12)}`;
}
