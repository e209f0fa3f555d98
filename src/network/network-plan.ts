import { conflict, forbidden, invalid, notFound, notImplemented } from '#/base/errors.ts';
import {
  containsAddress,
  containsSubnet,
  formatIpv4,
  formatSubnet,
  overlaps,
  parseCidr,
  parseIpv4,
  type Subnet,
} from './address.ts';
import { parseBridgeOptions } from './bridge-options.ts';
import { type AddressRange, isUsable, nextAddress, pickSubnet, type SubnetPool } from './ipam.ts';
import type { NetworkRecord, NetworkSpec, PoolSpec } from './model.ts';

/** What a new network must get along with. */
export interface Surroundings {
  readonly id: string;
  readonly created: string;
  /** Subnets of Skiff's own networks. */
  readonly networks: readonly Subnet[];
  /** Subnets that the host routes elsewhere; avoided when a subnet is picked, allowed when somebody asks for it. */
  readonly routes: readonly Subnet[];
  readonly pools: readonly SubnetPool[];
}

/** One address pool, read and checked. */
interface Pool {
  readonly subnet: Subnet;
  readonly range: Subnet | undefined;
  readonly gateway: number | undefined;
  readonly auxiliary: ReadonlyMap<string, number>;
}

/** Turns a request for a bridge network into the network as it will be, or says everything that is wrong with it. */
export function planNetwork(spec: NetworkSpec, around: Surroundings): NetworkRecord {
  checkKind(spec);
  const options = parseBridgeOptions(spec.options);
  const given = readPools(spec.ipam.pools);
  if (given.length > 1) throw forbidden("bridge driver doesn't support multiple subnets");
  const pool = given[0] ?? pickPool(around);
  if (around.networks.some((other) => overlaps(other, pool.subnet))) {
    throw forbidden('invalid pool request: Pool overlaps with other one on this address space');
  }
  const gateway = chooseGateway(pool);
  const picked: PoolSpec = { subnet: formatSubnet(pool.subnet), gateway: formatIpv4(gateway) };
  return {
    id: around.id,
    name: spec.name,
    driver: 'bridge',
    created: around.created,
    bridge: { link: options.link ?? `skb${around.id.slice(0, 12)}`, subnet: pool.subnet, gateway },
    config: {
      internal: spec.internal,
      attachable: spec.attachable,
      subnetChosen: given.length > 0,
      labels: spec.labels,
      options: spec.options,
      ipam: {
        driver: 'default',
        options: spec.ipam.options,
        pools: given.length > 0 ? spec.ipam.pools : [picked],
      },
    },
  };
}

/** The addresses that a bridge network hands out. */
export function addressRange({ bridge, config }: NetworkRecord): AddressRange | undefined {
  if (bridge === undefined) return undefined;
  const [pool] = readPools(config.ipam.pools);
  const reserved = new Set(pool?.auxiliary.values());
  if (bridge.gateway !== undefined) reserved.add(bridge.gateway);
  return { subnet: bridge.subnet, reserved, ...(pool?.range !== undefined && { range: pool.range }) };
}

function checkKind(spec: NetworkSpec): void {
  if (spec.name.trim() === '') throw invalid('invalid name: name is empty');
  if (['bridge', 'host', 'none', 'default'].includes(spec.name)) {
    throw forbidden(`operation is not permitted on predefined ${spec.name} network `);
  }
  const driver = spec.driver === '' ? 'bridge' : spec.driver;
  if (driver === 'host' || driver === 'null')
    throw forbidden(`only one instance of "${driver}" network is allowed`);
  if (['overlay', 'macvlan', 'ipvlan'].includes(driver)) {
    throw notImplemented(`network driver "${driver}" is not supported yet`);
  }
  if (driver !== 'bridge') throw notFound(`plugin "${driver}" not found`);
  if (spec.ipam.driver !== '' && spec.ipam.driver !== 'default')
    throw notFound(`plugin "${spec.ipam.driver}" not found`);
  if (spec.enableIpv6) throw notImplemented('IPv6 networks are not supported yet');
}

function pickPool({ pools, networks, routes }: Surroundings): Pool {
  const subnet = pickSubnet(pools, [...networks, ...routes]);
  if (subnet === undefined) {
    throw conflict(
      'all predefined address pools have been fully subnetted; remove unused networks, choose a subnet, or extend "default-address-pools"',
    );
  }
  return { subnet, range: undefined, gateway: undefined, auxiliary: new Map() };
}

/** Reads all pools and reports all that is wrong at once, as Docker does. */
function readPools(specs: readonly PoolSpec[]): Pool[] {
  const problems: string[] = [];
  const pools = specs.flatMap((spec) => readPool(spec, problems) ?? []);
  if (problems.length > 0) {
    const lines = problems.length === 1 ? problems : problems.map((problem) => `* ${problem}`);
    throw invalid(`invalid network config:\n${lines.join('\n')}`);
  }
  return pools;
}

function readPool(spec: PoolSpec, problems: string[]): Pool | undefined {
  const text = spec.subnet ?? '';
  if (text.includes(':')) throw notImplemented(`the IPv6 subnet "${text}" is not supported yet`);
  const cidr = parseCidr(text);
  if (cidr === undefined) {
    problems.push(`invalid subnet ${text}: invalid CIDR block notation`);
    return undefined;
  }
  const { subnet } = cidr;
  if (cidr.address !== subnet.base)
    problems.push(`invalid subnet ${text}: it should be ${formatSubnet(subnet)}`);
  const inSubnet = (what: string, value: string): number => {
    const address = parseIpv4(value);
    if (address === undefined) problems.push(`invalid ${what}: invalid address`);
    else if (!containsAddress(subnet, address)) {
      problems.push(`invalid ${what}: parent subnet ${formatSubnet(subnet)} doesn't contain this address`);
    }
    return address ?? 0;
  };
  const auxiliary = Object.entries(spec.auxiliary ?? {});
  return {
    subnet,
    range:
      spec.range === undefined || spec.range === '' ? undefined : readRange(spec.range, subnet, problems),
    gateway: spec.gateway ? inSubnet(`gateway ${spec.gateway}`, spec.gateway) : undefined,
    auxiliary: new Map(
      auxiliary.map(([name, value]) => [name, inSubnet(`auxiliary address ${name}`, value)]),
    ),
  };
}

function readRange(text: string, subnet: Subnet, problems: string[]): Subnet | undefined {
  const cidr = parseCidr(text);
  if (cidr === undefined) problems.push(`invalid ip-range ${text}: invalid CIDR block notation`);
  else if (!containsSubnet(subnet, cidr.subnet)) {
    problems.push(`invalid ip-range ${text}: parent subnet ${formatSubnet(subnet)} doesn't contain ip-range`);
  } else if (cidr.address !== cidr.subnet.base) {
    problems.push(`invalid ip-range ${text}: it should be ${formatSubnet(cidr.subnet)}`);
  }
  return cidr?.subnet;
}

function chooseGateway(pool: Pool): number {
  const { subnet, range, auxiliary, gateway } = pool;
  const addresses: AddressRange = {
    subnet,
    reserved: new Set(auxiliary.values()),
    ...(range !== undefined && { range }),
  };
  if (gateway !== undefined) {
    if (isUsable(addresses, gateway)) return gateway;
    throw conflict(`failed to allocate gateway (${formatIpv4(gateway)}): Address already in use`);
  }
  const first = nextAddress(addresses, undefined, () => false);
  if (first === undefined) throw invalid(`subnet ${formatSubnet(subnet)} has no address for a gateway`);
  return first;
}
