import { formatIpv4 } from './address.ts';
import type { EndpointWishes, Place } from './endpoint-plan.ts';
import type { EndpointRecord } from './model.ts';
import type { PortRequest, PublishedPort } from './port-request.ts';
import type { PortRules } from './rules.ts';

/** A container that is to join a network. */
export interface ConnectRequest extends EndpointWishes {
  /** Name or id. */
  readonly network: string;
  readonly containerId: string;
  /** For messages. */
  readonly containerName: string;
  readonly gatewayPriority?: number | undefined;
  /** What to publish on the host. Give them with one network of a container only. */
  readonly ports?: readonly PortRequest[] | undefined;
}

/** A running container's place in a network. */
export interface EndpointInfo {
  readonly id: string;
  readonly networkId: string;
  readonly networkName: string;
  readonly containerId: string;
  /** Dotted decimal; addresses, interface and MAC address are undefined in the networks "host" and "none". */
  readonly address: string | undefined;
  /** Bits of the network's prefix. */
  readonly prefix: number | undefined;
  readonly gateway: string | undefined;
  readonly mac: string | undefined;
  readonly interface: string | undefined;
  readonly aliases: readonly string[];
  readonly ports: readonly PublishedPort[];
}

/** What the packet filter has to do for an endpoint. */
export function portRules({ address, ports }: EndpointRecord): PortRules[] {
  if (address === undefined) return [];
  const containerIp = formatIpv4(address);
  return ports.map(({ protocol, hostIp, hostPort, containerPort }) => ({
    protocol,
    hostIp,
    hostPort,
    containerIp,
    containerPort,
  }));
}

/** What others may know about an endpoint. */
export function toInfo({ endpoint, network }: Place): EndpointInfo {
  const { address, mac, ports } = endpoint;
  const { gateway, subnet } = network.bridge ?? {};
  return {
    id: endpoint.id,
    networkId: network.id,
    networkName: network.name,
    containerId: endpoint.containerId,
    address: address === undefined ? undefined : formatIpv4(address),
    prefix: subnet?.prefix,
    gateway: gateway === undefined || network.config.internal ? undefined : formatIpv4(gateway),
    mac,
    interface: endpoint.interface,
    aliases: endpoint.config.aliases,
    ports,
  };
}
