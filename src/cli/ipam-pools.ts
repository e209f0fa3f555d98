import { BlockList, isIP } from 'node:net';
import type { IpamPool } from '#/wire/networks.ts';

/** The address flags of `network create`, each as it was given. */
export interface AddressFlags {
  readonly subnets: readonly string[];
  readonly ranges: readonly string[];
  readonly gateways: readonly string[];
  readonly auxiliary: Readonly<Record<string, string>>;
}

interface Pool {
  readonly Subnet: string;
  readonly contains: (address: string) => boolean;
  IPRange?: string;
  Gateway?: string;
  readonly auxiliary: Record<string, string>;
}

/** Gives each range, gateway and address to the subnet that it lies in. Throws an Error in docker's words. */
export function ipamPools({ subnets, ranges, gateways, auxiliary }: AddressFlags): IpamPool[] {
  if (subnets.length < ranges.length || subnets.length < gateways.length) {
    throw new Error('every ip-range or gateway must have a corresponding subnet');
  }
  const pools: Pool[] = [];
  for (const Subnet of subnets) {
    // Not looked at before it is needed: a single subnet is checked by the daemon.
    const contains = (address: string): boolean => subnetTest(Subnet)(address);
    const overlaps = pools.some(
      (pool) => contains(addressOf(pool.Subnet)) || pool.contains(addressOf(Subnet)),
    );
    if (overlaps) throw new Error('multiple overlapping subnet configuration is not supported');
    pools.push({ Subnet, contains, auxiliary: {} });
  }
  for (const range of ranges) {
    if (!/\/\d+$/.test(range)) throw new Error(`invalid CIDR address: ${range}`);
    const pool = find(pools, range, 'range');
    if (pool.IPRange !== undefined) {
      throw new Error(
        `cannot configure multiple ranges (${range}, ${pool.IPRange}) on the same subnet (${pool.Subnet})`,
      );
    }
    pool.IPRange = range;
  }
  for (const gateway of gateways) {
    const pool = find(pools, gateway, 'gateway');
    if (pool.Gateway !== undefined) {
      throw new Error(
        `cannot configure multiple gateways (${gateway}, ${pool.Gateway}) for the same subnet (${pool.Subnet})`,
      );
    }
    pool.Gateway = gateway;
  }
  for (const [name, address] of Object.entries(auxiliary)) {
    find(pools, address, 'aux-address').auxiliary[name] = address;
  }
  return pools.map(({ contains: _contains, auxiliary: addresses, ...pool }) => ({
    ...pool,
    ...(Object.keys(addresses).length > 0 && { AuxiliaryAddresses: addresses }),
  }));
}

const addressOf = (text: string): string => text.split('/')[0] ?? '';

function find(pools: readonly Pool[], text: string, what: string): Pool {
  const pool = pools.find((candidate) => candidate.contains(addressOf(text)));
  if (pool === undefined) throw new Error(`no matching subnet for ${what} ${text}`);
  return pool;
}

function subnetTest(subnet: string): (address: string) => boolean {
  const [, address = '', length = ''] = /^([0-9a-fA-F.:]+)\/(\d{1,3})$/.exec(subnet) ?? [];
  const family = isIP(address);
  if (family === 0 || Number(length) > (family === 4 ? 32 : 128)) {
    throw new Error(`invalid subnet: invalid CIDR address: ${subnet}`);
  }
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(address, Number(length), type);
  return (candidate) => isIP(candidate) === family && list.check(candidate, type);
}
