import { invalid } from '#/base/errors.ts';
import { newId } from '#/base/ids.ts';
import { containsSubnet, formatIpv4, formatSubnet, parseCidr, type Subnet } from './address.ts';
import { isUsable, pickSubnet } from './ipam.ts';
import type { BridgeAddressing, NetworkConfig, NetworkDriver, NetworkRecord, PoolSpec } from './model.ts';
import { isLinkName } from './rules.ts';
import type { NetworkSettings } from './settings.ts';

/** What the default bridge network must get along with. */
export interface BridgeSurroundings {
  readonly settings: NetworkSettings;
  /** The network of an earlier start of the daemon. */
  readonly stored: NetworkRecord | undefined;
  /** The address of a bridge of that name that exists already. */
  readonly present: string | undefined;
  /** Subnets in use by others. */
  readonly taken: readonly Subnet[];
  readonly now: string;
}

const o = 'com.docker.network.';

/** The networks "host" and "none", which need no configuration. */
export function bareNetwork(name: 'host' | 'none', now: string): NetworkRecord {
  const driver: NetworkDriver = name === 'host' ? 'host' : 'null';
  const config = { internal: false, attachable: false, subnetChosen: false, labels: {}, options: {} };
  const ipam = { driver: 'default', options: null, pools: [] };
  return { id: newId(), name, driver, created: now, bridge: undefined, config: { ...config, ipam } };
}

/**
 * The network "bridge" as the daemon's configuration wants it. Its subnet is the configured one, else that of the last
 * time, else that of a bridge which somebody prepared, else the first free one of the pools.
 */
export function defaultBridge(around: BridgeSurroundings): NetworkRecord {
  const { settings, stored, now } = around;
  const bridge = addressing(around);
  const id = stored?.id ?? newId();
  return {
    id,
    name: 'bridge',
    driver: 'bridge',
    created: stored?.created ?? now,
    bridge,
    config: configOf(settings, bridge),
  };
}

function addressing({ settings, stored, present, taken }: BridgeSurroundings): BridgeAddressing {
  const { bridge: link, bip, pools } = settings;
  if (!isLinkName(link)) throw invalid(`invalid bridge name: "${link}"`);
  if (bip !== undefined) return { link, ...parseBip(bip) };
  if (stored?.bridge !== undefined) return { ...stored.bridge, link };
  if (present !== undefined) return { link, ...parseBip(present) };
  const subnet = pickSubnet(pools, taken);
  if (subnet === undefined) {
    throw invalid(
      `no subnet is free for bridge ${link}: choose one with --bip or extend "default-address-pools"`,
    );
  }
  return { link, subnet, gateway: subnet.base + 1 };
}

function parseBip(text: string): { subnet: Subnet; gateway: number } {
  const cidr = parseCidr(text);
  if (cidr === undefined || !isUsable({ subnet: cidr.subnet, reserved: new Set() }, cidr.address)) {
    throw invalid(
      `invalid bridge address "${text}": use the form 172.17.0.1/16, with an address for the bridge itself`,
    );
  }
  return { subnet: cidr.subnet, gateway: cidr.address };
}

function configOf(settings: NetworkSettings, { subnet, gateway }: BridgeAddressing): NetworkConfig {
  const pool: PoolSpec = {
    subnet: formatSubnet(subnet),
    ...(settings.fixedCidr !== undefined && { range: parseFixedCidr(settings.fixedCidr, subnet) }),
    ...(gateway !== undefined && { gateway: formatIpv4(gateway) }),
  };
  return {
    internal: false,
    attachable: false,
    subnetChosen: false,
    labels: {},
    options: {
      [`${o}bridge.default_bridge`]: 'true',
      [`${o}bridge.enable_icc`]: String(settings.icc),
      [`${o}bridge.enable_ip_masquerade`]: String(settings.masquerade),
      [`${o}bridge.host_binding_ipv4`]: settings.hostIp,
      [`${o}bridge.name`]: settings.bridge,
      [`${o}driver.mtu`]: String(settings.mtu ?? 1500),
    },
    ipam: { driver: 'default', options: null, pools: [pool] },
  };
}

function parseFixedCidr(text: string, subnet: Subnet): string {
  const range = parseCidr(text)?.subnet;
  if (range === undefined || !containsSubnet(subnet, range)) {
    throw invalid(
      `invalid "fixed-cidr" "${text}": it must lie in the bridge's subnet ${formatSubnet(subnet)}`,
    );
  }
  return formatSubnet(range);
}
