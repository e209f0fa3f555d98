import type { Protocol } from './port-request.ts';

/** What the packet filter has to know about a bridge. */
export interface BridgeRules {
  /** Link name, as the kernel allows it (`isLinkName`): it goes into rules as it is. */
  readonly name: string;
  /** `a.b.c.d/n` */
  readonly subnet: string;
  /** Outgoing connections get the host's address. */
  readonly masquerade: boolean;
  /** No way in or out but between its endpoints and the host. */
  readonly internal: boolean;
  /** Its endpoints may talk to each other without a published port. */
  readonly icc: boolean;
}

/** One forwarded port: what arrives at the host's address and port goes to the container's. */
export interface PortRules {
  readonly protocol: Protocol;
  /** `0.0.0.0` stands for every address of the host. */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly containerIp: string;
  readonly containerPort: number;
}

/** Everything the table is made from. */
export interface TableContents {
  readonly bridges: readonly BridgeRules[];
  readonly ports: readonly PortRules[];
  /** Drop what others try to route through this host: it is a router only because Skiff made it one. */
  readonly guard: boolean;
}

/**
 * The table's fixed part. Only sets and maps change when containers come and go, so a packet meets the same few rules
 * with one published port or a thousand.
 *
 * - `spoofed`: the kernel lets 127.0.0.0/8 through on our bridges (route_localnet, so that published ports work on
 *   127.0.0.1). Containers must neither pretend to come from there nor reach the host's own 127.0.0.1.
 * - `published_in`: a neighbour that routes 127.0.0.0/8 to this host must not reach ports published there; without
 *   translation the kernel drops such packets as martians.
 * - `outgoing`: the first rule is for containers that use a published port, where an answer that took the direct way
 *   would be from an address that nobody asked; the last for the host's 127.0.0.1, which has no meaning on a bridge.
 * - `inward`: a container's port that is not published cannot be reached by routing to the container's address.
 */
const fixed = `
  chain spoofed {
    type filter hook prerouting priority raw; policy accept;
    iifname @bridges ip saddr 127.0.0.0/8 drop
    iifname @bridges ip daddr 127.0.0.0/8 drop
  }

  chain published {
    meta l4proto { tcp, udp, sctp } dnat ip to ip daddr . meta l4proto . th dport map @ports_at
    meta l4proto { tcp, udp, sctp } dnat ip to meta l4proto . th dport map @ports
  }

  chain published_in {
    type nat hook prerouting priority dstnat; policy accept;
    ip daddr != 127.0.0.0/8 fib daddr type local goto published
  }

  chain published_local {
    type nat hook output priority -100; policy accept;
    fib daddr type local goto published
  }

  chain outgoing {
    type nat hook postrouting priority srcnat; policy accept;
    oifname @bridges ct status dnat ip saddr @subnets masquerade
    oifname != @bridges ip saddr @masqueraded masquerade
    oifname @bridges ip saddr 127.0.0.0/8 masquerade
  }

  chain inward {
    ct state established,related accept
    ct status dnat accept
    drop
  }
`;

const forward = (guard: boolean): string => `
  chain passing {
    type filter hook forward priority filter; policy accept;
    iifname . oifname @open accept
    iifname @internal drop
    oifname @internal drop
    oifname @bridges goto inward
    iifname @bridges accept${guard ? '\n    drop' : ''}
  }
`;

/** Commands that replace the whole table in one transaction: no packet meets half of it. */
export function wholeTable({ bridges, ports, guard }: TableContents): string {
  const names = (chosen: readonly BridgeRules[]): string[] => chosen.map(({ name }) => `"${name}"`);
  const subnets = (chosen: readonly BridgeRules[]): string[] => chosen.map(({ subnet }) => subnet);
  const parts = [
    declaration('set bridges', 'type ifname;', names(bridges)),
    declaration('set internal', 'type ifname;', names(bridges.filter((bridge) => bridge.internal))),
    declaration('set open', 'type ifname . ifname;', bridges.filter((bridge) => bridge.icc).map(pair)),
    declaration('set subnets', 'type ipv4_addr; flags interval;', subnets(bridges)),
    declaration('set masqueraded', 'type ipv4_addr; flags interval;', subnets(bridges.filter(isMasqueraded))),
    declaration(
      'map ports',
      'type inet_proto . inet_service : ipv4_addr . inet_service;',
      ports.filter(isEverywhere).map(element),
    ),
    declaration(
      'map ports_at',
      'type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service;',
      ports.filter((port) => !isEverywhere(port)).map(element),
    ),
  ];
  return `table ip skiff\ndelete table ip skiff\ntable ip skiff {\n${parts.join('')}${fixed}${forward(guard)}}\n`;
}

/** Command that takes everything of Skiff's out of the packet filter, also if nothing is there. */
export const noTable: string = 'table ip skiff\ndelete table ip skiff\n';

/** Commands that publish ports; one transaction. */
export function addPorts(ports: readonly PortRules[]): string {
  return inBoth('add', ports, element);
}

/** Commands that take back what `addPorts` did. */
export function removePorts(ports: readonly PortRules[]): string {
  return inBoth('delete', ports, key);
}

/**
 * Tells whether the kernel would take `name` for a link, nft for a word in quotes, and /proc/sys/net for a link's
 * folder (`all` and `default` mean something else there).
 */
export function isLinkName(name: string): boolean {
  return /^[A-Za-z0-9_.-]{1,15}$/.test(name) && !['.', '..', 'all', 'default'].includes(name);
}

function inBoth(verb: string, ports: readonly PortRules[], text: (port: PortRules) => string): string {
  const command = (map: string, chosen: readonly PortRules[]): string =>
    chosen.length === 0 ? '' : `${verb} element ip skiff ${map} { ${chosen.map(text).join(', ')} }\n`;
  return (
    command('ports', ports.filter(isEverywhere)) +
    command(
      'ports_at',
      ports.filter((port) => !isEverywhere(port)),
    )
  );
}

function declaration(head: string, type: string, elements: readonly string[]): string {
  const lines = elements.length === 0 ? '' : `    elements = { ${elements.join(', ')} }\n`;
  return `  ${head} {\n    ${type}\n${lines}  }\n`;
}

function isEverywhere(port: PortRules): boolean {
  return port.hostIp === '0.0.0.0';
}

function isMasqueraded(bridge: BridgeRules): boolean {
  return bridge.masquerade && !bridge.internal;
}

function pair({ name }: BridgeRules): string {
  return `"${name}" . "${name}"`;
}

function key({ protocol, hostIp, hostPort }: PortRules): string {
  return `${hostIp === '0.0.0.0' ? '' : `${hostIp} . `}${protocol} . ${hostPort}`;
}

function element(port: PortRules): string {
  return `${key(port)} : ${port.containerIp} . ${port.containerPort}`;
}
