import { internal, isSystemError } from '#/base/errors.ts';
import { inNetns } from '#/kernel/namespaces.ts';
import type { Link } from '#/kernel/netlink/link.ts';
import { Rtnetlink } from '#/kernel/netlink/rtnetlink.ts';
import { parseCidr, type Subnet } from './address.ts';
import { allowLoopbackAddresses, disableIpv6 } from './sysctl.ts';

/** Index of the loopback device in every network namespace. */
const loopback = 1;

/** A bridge as it is to be. */
export interface BridgeLink {
  readonly name: string;
  /** Its own address, `a.b.c.d/n`; undefined: none. */
  readonly address: string | undefined;
  readonly mtu: number | undefined;
  /** Of a bridge that is made; one without takes that of a port, and changes it when that port goes. */
  readonly mac: string;
}

/** A veth pair between a bridge and a container. */
export interface EndpointLink {
  readonly hostLink: string;
  readonly bridge: string;
  /** Path of the container's network namespace. */
  readonly sandbox: string;
  /** Name of the device inside. */
  readonly interface: string;
  /** `a.b.c.d/n` */
  readonly address: string;
  readonly mac: string;
  readonly mtu: number | undefined;
  /** The port talks to the host only, not to other isolated ports. */
  readonly isolated: boolean;
  /** The container's default route goes here, and no longer where it went before; undefined: it stays as it is. */
  readonly gateway: string | undefined;
}

/** A container's way out. */
export type DefaultRoute = Pick<EndpointLink, 'sandbox' | 'interface'> & { readonly gateway: string };

/** Makes links, addresses and routes: of bridges in the namespace where it was made, of endpoints in containers'. */
export class Datapath implements Disposable {
  readonly #host = Rtnetlink.open();

  /** Makes the bridge, or makes an existing one what it should be. Its other addresses stay. */
  ensureBridge({ name, address, mtu, mac }: BridgeLink): void {
    const found = this.#host.linkByName(name);
    if (found !== undefined && found.kind !== 'bridge')
      throw internal(`existing interface ${name} is not a bridge`);
    const index = found?.index ?? this.#host.addBridge({ name, mac, ...(mtu !== undefined && { mtu }) });
    if (found !== undefined && mtu !== undefined && found.mtu !== mtu) this.#host.setLink(index, { mtu });
    disableIpv6(name);
    if (address !== undefined && !this.#host.addresses(index).some((known) => known.address === address)) {
      this.#host.addAddress(index, address);
    }
    this.#host.setLink(index, { up: true });
    allowLoopbackAddresses(name);
  }

  /** Tells whether there is a link of that name, of whatever kind. */
  hasLink(name: string): boolean {
    return this.#host.linkByName(name) !== undefined;
  }

  /** The first IPv4 address of a bridge that exists already. */
  bridgeAddress(name: string): string | undefined {
    const link = this.#host.linkByName(name);
    if (link?.kind !== 'bridge') return undefined;
    return this.#host.addresses(link.index).find(({ family }) => family === 'ipv4')?.address;
  }

  /** Subnets that the host's addresses and routes lie in, without those of the links named. */
  subnetsInUse(except: ReadonlySet<string>): Subnet[] {
    const own = new Set(this.#host.links().flatMap(({ name, index }) => (except.has(name) ? [index] : [])));
    const routes = this.#host.routes().map(({ device, dst }) => ({ link: device, text: dst }));
    const addresses = this.#host.addresses().map(({ link, address }) => ({ link, text: address }));
    return [...routes, ...addresses].flatMap(({ link, text }) => {
      const subnet = link !== undefined && own.has(link) ? undefined : parseCidr(text)?.subnet;
      // A default route takes what is left over: it does not say that addresses are in use.
      return subnet === undefined || subnet.prefix === 0 ? [] : [subnet];
    });
  }

  /** Connects a container to a bridge. Nothing is left behind on failure. */
  attach(endpoint: EndpointLink): void {
    const { hostLink, bridge, mac, mtu } = endpoint;
    const master = this.#host.linkByName(bridge)?.index;
    if (master === undefined) throw internal(`bridge ${bridge} does not exist`);
    const index = this.#host.addVeth({
      name: hostLink,
      peer: endpoint.interface,
      peerNetnsPath: endpoint.sandbox,
      peerMac: mac,
      master,
      ...(mtu !== undefined && { mtu }),
    });
    try {
      // With br_netfilter a container's way to its own published port turns round within the bridge.
      this.#host.setBridgePort(index, { hairpin: true, isolated: endpoint.isolated });
      disableIpv6(hostLink);
      this.#host.setLink(index, { up: true });
      inNetns(endpoint.sandbox, () => configureInside(endpoint));
    } catch (error) {
      this.#host.deleteLink(index);
      throw error;
    }
  }

  /** Removes an endpoint's veth pair if it is there. Takes some 30 ms: the kernel waits until nobody looks at it. */
  detach(hostLink: string): void {
    const link = this.#host.linkByName(hostLink);
    if (link === undefined) return;
    try {
      this.#host.deleteLink(link.index);
    } catch (error) {
      // Its other end was in a namespace that has ended meanwhile.
      if (!isSystemError(error, 'ENODEV')) throw error;
    }
  }

  /** Cuts an endpoint off at once; the kernel removes the pair together with the container's namespace. */
  cutOff(hostLink: string): void {
    const link = this.#host.linkByName(hostLink);
    if (link === undefined) return;
    try {
      this.#host.setLink(link.index, { up: false });
    } catch (error) {
      if (!isSystemError(error, 'ENODEV')) throw error;
    }
  }

  /** Removes a bridge if it is there. */
  removeBridge(name: string): void {
    const link = this.#host.linkByName(name);
    if (link?.kind === 'bridge') this.#host.deleteLink(link.index);
  }

  /** The host ends of all veth pairs on these bridges. */
  endpointsOn(bridges: ReadonlySet<string>): Link[] {
    const links = this.#host.links();
    const masters = new Set(links.flatMap(({ name, index }) => (bridges.has(name) ? [index] : [])));
    return links.filter(({ name, master }) => /^skv[0-9a-f]{12}$/.test(name) && masters.has(master ?? -1));
  }

  [Symbol.dispose](): void {
    this.#host[Symbol.dispose]();
  }
}

/** Switches the loopback device of a new namespace on. */
export function startLoopback(sandbox: string): void {
  inNetns(sandbox, () => {
    using inside = Rtnetlink.open();
    inside.setLink(loopback, { up: true });
  });
}

/** Gives a container a default route, in the place of the one that it has. */
export function setDefaultRoute({ sandbox, gateway, ...route }: DefaultRoute): void {
  inNetns(sandbox, () => {
    using inside = Rtnetlink.open();
    inside.replaceRoute({ gateway, device: indexOf(inside, route.interface) });
  });
}

function configureInside(endpoint: EndpointLink): void {
  using inside = Rtnetlink.open();
  const index = indexOf(inside, endpoint.interface);
  disableIpv6(endpoint.interface);
  inside.addAddress(index, endpoint.address);
  inside.setLink(index, { up: true });
  if (endpoint.gateway !== undefined) inside.replaceRoute({ gateway: endpoint.gateway, device: index });
}

function indexOf(inside: Rtnetlink, name: string): number {
  const link = inside.linkByName(name);
  if (link === undefined) throw internal(`the container has no interface ${name}`);
  return link.index;
}
