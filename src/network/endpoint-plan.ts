import { forbidden, invalid, unavailable } from '#/base/errors.ts';
import { containsAddress, formatIpv4, parseIpv4 } from './address.ts';
import { isUsable, nextAddress } from './ipam.ts';
import type { EndpointRecord, NetworkRecord } from './model.ts';
import { addressRange } from './network-plan.ts';

/** What somebody may ask for an endpoint. */
export interface EndpointWishes {
  /** Dotted decimal. */
  readonly ip?: string | undefined;
  readonly mac?: string | undefined;
  /** Further names of the container in this network. */
  readonly aliases?: readonly string[] | undefined;
}

/** Which addresses of a network are in use. */
export interface AddressUse {
  readonly cursor: number | undefined;
  readonly isTaken: (address: number) => boolean;
}

/** Throws `invalid`, with all that is wrong, if the network cannot grant the wishes. */
export function checkWishes(network: NetworkRecord, { ip, mac, aliases = [] }: EndpointWishes): void {
  const problems: string[] = [];
  const isUserDefined = network.driver === 'bridge' && network.name !== 'bridge';
  if (aliases.length > 0 && !isUserDefined) {
    problems.push('network-scoped alias is supported only for containers in user defined networks');
  }
  if (ip !== undefined) problems.push(...addressProblems(network, { ip, isUserDefined }));
  if (mac !== undefined && !isUnicastMac(mac)) throw invalid(`invalid MAC address ${mac}`);
  if (problems.length === 0) return;
  const lines = problems.length === 1 ? problems : problems.map((problem) => `* ${problem}`);
  throw invalid(`invalid endpoint settings:\n${lines.join('\n')}`);
}

/** The address of a new endpoint: the one asked for, or the next free one. */
export function chooseAddress(network: NetworkRecord, ip: string | undefined, use: AddressUse): number {
  const range = addressRange(network);
  if (range === undefined) throw new Error(`network ${network.name} has no addresses`);
  const wanted = ip === undefined ? undefined : parseIpv4(ip);
  const chosen = wanted ?? nextAddress(range, use.cursor, use.isTaken);
  if (chosen === undefined) {
    throw unavailable(
      `no available IPv4 addresses on this network's address pools: ${network.name} (${network.id})`,
    );
  }
  if (!isUsable({ ...range, reserved: gatewayOf(network) }, chosen) || use.isTaken(chosen)) {
    throw forbidden('Address already in use');
  }
  return chosen;
}

/**
 * A MAC address that belongs to an IPv4 address: who gets the address of a container that has just gone gets its MAC
 * address as well, and the ARP caches of its neighbours stay right.
 */
export function macOf(address: number): string {
  const bytes = [0x02, 0x42, address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255];
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** The first name `prefix0`, `prefix1`… that no interface of the container has. */
export function freeInterface(prefix: string, endpoints: readonly EndpointRecord[]): string {
  const taken = new Set(endpoints.map((endpoint) => endpoint.interface));
  let number = 0;
  while (taken.has(`${prefix}${number}`)) number += 1;
  return `${prefix}${number}`;
}

/** An endpoint and its network. */
export interface Place {
  readonly endpoint: EndpointRecord;
  readonly network: NetworkRecord;
}

/**
 * Which of a container's endpoints has the default route: that of the highest priority, among equals the first by the
 * network's name. Internal networks lead nowhere.
 */
export function gatewayPlace(places: readonly Place[]): Place | undefined {
  const candidates = places.filter(
    ({ network }) => network.bridge?.gateway !== undefined && !network.config.internal,
  );
  return candidates.sort(
    (a, b) =>
      b.endpoint.config.gatewayPriority - a.endpoint.config.gatewayPriority ||
      (a.network.name < b.network.name ? -1 : 1),
  )[0];
}

function addressProblems(network: NetworkRecord, wish: { ip: string; isUserDefined: boolean }): string[] {
  const address = parseIpv4(wish.ip);
  const problems: string[] = [];
  if (!wish.isUserDefined)
    problems.push('user specified IP address is supported on user defined networks only');
  if (address === undefined) problems.push(`invalid IPv4 address: ${wish.ip}`);
  if (!network.config.subnetChosen) {
    problems.push(
      'user specified IP address is supported only when connecting to networks with user configured subnets',
    );
  } else if (
    address !== undefined &&
    network.bridge !== undefined &&
    !containsAddress(network.bridge.subnet, address)
  ) {
    problems.push(`no configured subnet or ip-range contain the IP address ${formatIpv4(address)}`);
  }
  return problems;
}

function gatewayOf({ bridge }: NetworkRecord): ReadonlySet<number> {
  return new Set(bridge?.gateway === undefined ? [] : [bridge.gateway]);
}

/** Six bytes, of which the first has no multicast bit; all zero is no address. */
function isUnicastMac(mac: string): boolean {
  return /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/i.test(mac) && !/^[0:]+$/.test(mac);
}
