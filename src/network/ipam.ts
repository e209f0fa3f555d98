import { containsAddress, lastAddress, overlaps, type Subnet } from './address.ts';

/** The addresses that a network hands out to its endpoints. */
export interface AddressRange {
  /** All addresses of the network. */
  readonly subnet: Subnet;
  /** Where addresses come from if nobody asks for a certain one; lies inside the subnet. Default: all of it. */
  readonly range?: Subnet;
  /** Addresses in use by somebody else: the gateway, auxiliary addresses. */
  readonly reserved: ReadonlySet<number>;
}

/**
 * The next free address after `cursor` (the last one handed out), from the start again at the end, or undefined if
 * none is free. Going on from the last one keeps a released address out of use for as long as possible: peers still
 * have it in their ARP caches, and connections to its former owner may be alive.
 *
 * `isTaken` is asked for one address after the other, in the order in which they would be handed out.
 */
export function nextAddress(
  pool: AddressRange,
  cursor: number | undefined,
  isTaken: (address: number) => boolean,
): number | undefined {
  const range = pool.range ?? pool.subnet;
  const first = range.base;
  const count = lastAddress(range) - first + 1;
  const start = cursor !== undefined && containsAddress(range, cursor) ? cursor - first + 1 : 0;
  for (let step = 0; step < count; step++) {
    const address = first + ((start + step) % count);
    if (isUsable(pool, address) && !isTaken(address)) return address;
  }
  return undefined;
}

/** Tells whether an endpoint may have `address`: in the subnet, not reserved, not the network's or broadcast address. */
export function isUsable({ subnet, reserved }: AddressRange, address: number): boolean {
  if (!containsAddress(subnet, address) || reserved.has(address)) return false;
  // RFC 3021: a /31 has no network and broadcast address; a /32 is one address.
  return subnet.prefix >= 31 || (address !== subnet.base && address !== lastAddress(subnet));
}

/** A block that subnets of `size` bits are cut from for networks whose subnet nobody chose; none if it is smaller. */
export interface SubnetPool {
  readonly base: Subnet;
  readonly size: number;
}

/** The first subnet of the pools, in their order, that overlaps none of `taken`; undefined if all do. */
export function pickSubnet(pools: readonly SubnetPool[], taken: readonly Subnet[]): Subnet | undefined {
  for (const { base, size } of pools) {
    if (size < base.prefix) continue;
    const last = lastAddress(base);
    let candidate: Subnet = { base: base.base, prefix: size };
    while (candidate.base <= last) {
      const obstacle = taken.find((other) => overlaps(other, candidate));
      if (obstacle === undefined) return candidate;
      // Skip all of the obstacle at once: a route to 10.0.0.0/8 covers 65,536 subnets of a /24 pool.
      const width = 2 ** (32 - size);
      const after = Math.max(lastAddress(obstacle), lastAddress(candidate)) + 1;
      candidate = { base: Math.ceil(after / width) * width, prefix: size };
    }
  }
  return undefined;
}

/**
 * Where subnets come from by default. Docker's blocks, but cut smaller: 15 networks of 65,534 addresses each run out
 * on a busy development machine, and each one hides a /16 of somebody's company network. 172.17.0.0/16 stays what
 * people expect of the default bridge.
 */
export const defaultPools: readonly SubnetPool[] = [
  { base: { base: 0xac110000, prefix: 16 }, size: 16 },
  { base: { base: 0xac120000, prefix: 15 }, size: 20 },
  { base: { base: 0xac140000, prefix: 14 }, size: 20 },
  { base: { base: 0xac180000, prefix: 13 }, size: 20 },
  { base: { base: 0xc0a80000, prefix: 16 }, size: 24 },
];
