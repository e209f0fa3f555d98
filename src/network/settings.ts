import type { SubnetPool } from './ipam.ts';
import { defaultPools } from './ipam.ts';

/** The daemon's network configuration. */
export interface NetworkSettings {
  /** Link of the default network; "none": there is no default network. */
  readonly bridge: string;
  /** The bridge's own address with its subnet, `a.b.c.d/n`; undefined: kept from the last time, or picked. */
  readonly bip: string | undefined;
  /** Part of the default network's subnet that addresses are handed out from. */
  readonly fixedCidr: string | undefined;
  /** Largest packet in bytes; undefined: the kernel's default. */
  readonly mtu: number | undefined;
  /** Containers of the default network may talk to each other without published ports. */
  readonly icc: boolean;
  /** Outgoing connections of the default network get the host's address. */
  readonly masquerade: boolean;
  /** Where ports are published if nobody says; dotted decimal. */
  readonly hostIp: string;
  /** Where the subnets of new networks come from. */
  readonly pools: readonly SubnetPool[];
  /** Make the host forward IPv4 packets. */
  readonly forwarding: boolean;
  /** Drop packets that others route through this host, if it was Skiff that made it a router. */
  readonly forwardingGuard: boolean;
  /** Manage a table in the packet filter. Without it nothing is translated: no way out, no published ports. */
  readonly firewall: boolean;
}

/** What holds unless something else is configured. */
export const defaultNetworkSettings: NetworkSettings = {
  bridge: 'skiff0',
  bip: undefined,
  fixedCidr: undefined,
  mtu: undefined,
  icc: true,
  masquerade: true,
  hostIp: '0.0.0.0',
  pools: defaultPools,
  forwarding: true,
  forwardingGuard: true,
  firewall: true,
};
