import { closeSync, openSync } from 'node:fs';
import { isSystemError } from '#/base/errors.ts';
import {
  decodeAddress,
  encodeAddress,
  encodeAddressQuery,
  type LinkAddress,
  RTM_DELADDR,
  RTM_GETADDR,
  RTM_NEWADDR,
} from './address.ts';
import {
  type BridgePortOptions,
  checkLinkName,
  decodeLink,
  encodeBridgePort,
  encodeLinkChange,
  encodeLinkIndex,
  encodeLinkQuery,
  encodeNewLink,
  type Link,
  type LinkChange,
  type NewLink,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_NEWLINK,
  RTM_SETLINK,
  vethPeer,
} from './link.ts';
import {
  decodeNeighbour,
  encodeNeighbour,
  encodeNeighbourQuery,
  type Neighbour,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
} from './neighbour.ts';
import {
  decodeRoute,
  encodeRoute,
  encodeRouteQuery,
  type NewRoute,
  type Route,
  RTM_DELROUTE,
  RTM_GETROUTE,
  RTM_NEWROUTE,
} from './route.ts';
import { NETLINK_ROUTE, NetlinkSocket } from './socket.ts';

const NLM_F_REPLACE = 0x100;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;

/** A pair of connected devices, one here, its peer perhaps in another namespace. */
export interface NewVeth {
  readonly name: string;
  /** Name of the other end. */
  readonly peer: string;
  /** The namespace of the other end: pinned at this path, or open as this descriptor; otherwise this one. */
  readonly peerNetnsPath?: string;
  readonly peerNetnsFd?: number;
  /** Of both ends. */
  readonly mtu?: number;
  readonly mac?: string;
  readonly peerMac?: string;
  /** Index of the bridge that this end joins. */
  readonly master?: number;
  /** Switch this end on at once. (The kernel refuses that for the other end.) */
  readonly up?: boolean;
}

/** A bridge to make. */
export interface NewBridge {
  readonly name: string;
  readonly mtu?: number;
  readonly mac?: string;
}

/**
 * Configures the network devices of one namespace: the one in which it was opened, from wherever it is used. Every
 * call is a round trip to the kernel of some 20 to 200 microseconds. Failures are SystemErrors with the kernel's
 * explanation: ENODEV, EEXIST, EBUSY…
 */
export class Rtnetlink implements Disposable {
  readonly #socket: NetlinkSocket;

  private constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** Opens a socket in the present network namespace. */
  static open(): Rtnetlink {
    return new Rtnetlink(new NetlinkSocket(NETLINK_ROUTE));
  }

  links(): Link[] {
    return this.#socket
      .dump({ type: RTM_GETLINK, payload: encodeLinkIndex(), about: 'list links' })
      .filter((message) => message.type === RTM_NEWLINK)
      .map(decodeLink);
  }

  /** The device of that name; undefined when there is none. */
  linkByName(name: string): Link | undefined {
    checkLinkName(name);
    return this.#findLink(encodeLinkQuery(name), `get link '${name}'`);
  }

  /** The device of that index; undefined when there is none. */
  linkByIndex(index: number): Link | undefined {
    return this.#findLink(encodeLinkIndex(index), `get link ${index}`);
  }

  /** Makes a device of any kind and returns its index. EEXIST when the name is taken. */
  addLink(link: NewLink): number {
    const payload = encodeNewLink(link);
    const flags = NLM_F_CREATE | NLM_F_EXCL;
    this.#socket.request({ type: RTM_NEWLINK, flags, payload, about: `add ${link.kind} '${link.name}'` });
    // Moved into another namespace, it has no index here.
    return link.netnsFd === undefined ? this.#indexOf(link.name) : 0;
  }

  /** Makes a bridge, switched off and without an address, and returns its index. */
  addBridge(bridge: NewBridge): number {
    return this.addLink({ kind: 'bridge', ...bridge });
  }

  /** Makes a veth pair, the other end at once in its own namespace, and returns the index of this end. */
  addVeth({ name, peer, mtu, mac, master, up, ...rest }: NewVeth): number {
    const opened = rest.peerNetnsPath === undefined ? undefined : openSync(rest.peerNetnsPath, 'r');
    try {
      const netnsFd = opened ?? rest.peerNetnsFd;
      const data = vethPeer(given({ name: peer, mtu, mac: rest.peerMac, netnsFd }));
      return this.addLink({ kind: 'veth', name, data, ...given({ mtu, mac, master, up }) });
    } finally {
      if (opened !== undefined) closeSync(opened);
    }
  }

  /** Changes a device; ENODEV when there is none. */
  setLink(index: number, change: LinkChange): void {
    const payload = encodeLinkChange(index, change);
    this.#socket.request({ type: RTM_NEWLINK, payload, about: `set link ${index}` });
  }

  /**
   * Removes a device, a veth with its peer. ENODEV when there is none. The kernel waits for its other CPUs: some 15 ms
   * in which this thread stands still. When a namespace goes, so do its devices, and that costs nothing here.
   */
  deleteLink(index: number): void {
    this.#socket.request({
      type: RTM_DELLINK,
      payload: encodeLinkIndex(index),
      about: `delete link ${index}`,
    });
  }

  /** Sets options of a device that is a port of a bridge. */
  setBridgePort(index: number, options: BridgePortOptions): void {
    const payload = encodeBridgePort(index, options);
    this.#socket.request({ type: RTM_SETLINK, payload, about: `set bridge port ${index}` });
  }

  /** Gives a device an address, "172.17.0.1/16" or "fd00::1/64" (usable at once). EEXIST when it has it. */
  addAddress(index: number, cidr: string): void {
    const flags = NLM_F_CREATE | NLM_F_EXCL;
    const payload = encodeAddress(index, cidr);
    this.#socket.request({
      type: RTM_NEWADDR,
      flags,
      payload,
      about: `add address ${cidr} to link ${index}`,
    });
  }

  /** Takes an address away; EADDRNOTAVAIL when the device does not have it. */
  deleteAddress(index: number, cidr: string): void {
    const payload = encodeAddress(index, cidr);
    this.#socket.request({ type: RTM_DELADDR, payload, about: `delete address ${cidr} of link ${index}` });
  }

  /** The addresses of one device, or of all. */
  addresses(index: number = 0): LinkAddress[] {
    return this.#socket
      .dump({ type: RTM_GETADDR, payload: encodeAddressQuery(index), about: 'list addresses' })
      .filter((message) => message.type === RTM_NEWADDR)
      .map(decodeAddress)
      .filter((address) => address !== undefined);
  }

  /** Adds a route to the main table. EEXIST when there is one, ENETUNREACH when the gateway is not on a device's network. */
  addRoute(route: NewRoute): void {
    this.#changeRoute(route, { type: RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_EXCL, verb: 'add' });
  }

  /** Adds a route, or puts it in the place of the one with the same destination and metric. */
  replaceRoute(route: NewRoute): void {
    this.#changeRoute(route, { type: RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_REPLACE, verb: 'replace' });
  }

  /** Removes a route; ESRCH when there is none. */
  deleteRoute(route: NewRoute): void {
    this.#changeRoute(route, { type: RTM_DELROUTE, flags: 0, verb: 'delete' });
  }

  /** The unicast routes of the main table, both families. */
  routes(): Route[] {
    return this.#socket
      .dump({ type: RTM_GETROUTE, payload: encodeRouteQuery(), about: 'list routes' })
      .filter((message) => message.type === RTM_NEWROUTE)
      .map(decodeRoute)
      .filter((route) => route !== undefined);
  }

  /** Adds or replaces a permanent neighbour. */
  addNeighbour(neighbour: Neighbour): void {
    const flags = NLM_F_CREATE | NLM_F_REPLACE;
    const payload = encodeNeighbour(neighbour);
    this.#socket.request({ type: RTM_NEWNEIGH, flags, payload, about: `add neighbour ${neighbour.ip}` });
  }

  /** Removes a neighbour; ENOENT when there is none. */
  deleteNeighbour(neighbour: Neighbour): void {
    const payload = encodeNeighbour(neighbour);
    this.#socket.request({ type: RTM_DELNEIGH, payload, about: `delete neighbour ${neighbour.ip}` });
  }

  neighbours(): Neighbour[] {
    return this.#socket
      .dump({ type: RTM_GETNEIGH, payload: encodeNeighbourQuery(), about: 'list neighbours' })
      .filter((message) => message.type === RTM_NEWNEIGH)
      .map(decodeNeighbour)
      .filter((neighbour) => neighbour !== undefined);
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }

  #findLink(payload: Buffer, about: string): Link | undefined {
    try {
      const [message] = this.#socket.request({ type: RTM_GETLINK, payload, about });
      return message === undefined ? undefined : decodeLink(message);
    } catch (error) {
      if (isSystemError(error, 'ENODEV')) return undefined;
      throw error;
    }
  }

  #indexOf(name: string): number {
    const link = this.linkByName(name);
    if (link === undefined) throw new Error(`link "${name}" vanished right after it was made`);
    return link.index;
  }

  #changeRoute(route: NewRoute, { type, flags, verb }: { type: number; flags: number; verb: string }): void {
    const target = `${route.dst ?? 'default'}${route.gateway === undefined ? '' : ` via ${route.gateway}`}`;
    this.#socket.request({ type, flags, payload: encodeRoute(route), about: `${verb} route ${target}` });
  }
}

/** `values` without the undefined ones. */
function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
