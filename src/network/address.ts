/**
 * IPv4 arithmetic. An address is its value as an unsigned 32-bit number, so that ranges compare and count like numbers.
 */

/** A block of addresses: those whose first `prefix` bits (0 to 32) are those of `base`; the other bits of `base` are 0. */
export interface Subnet {
  readonly base: number;
  readonly prefix: number;
}

/** Reads dotted decimal as RFC 6943 section 3.1.1 calls strict: four numbers without leading zeros. */
export function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let value = 0;
  for (const part of match.slice(1)) {
    if (Number(part) > 255 || (part.length > 1 && part.startsWith('0'))) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

/** Dotted decimal of an address. */
export function formatIpv4(address: number): string {
  return [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255].join('.');
}

/** Reads `a.b.c.d/n` into the address as written and the subnet it lies in. */
export function parseCidr(text: string): { address: number; subnet: Subnet } | undefined {
  const slash = text.indexOf('/');
  const address = parseIpv4(text.slice(0, slash));
  const prefix = /^\d{1,2}$/.test(text.slice(slash + 1)) ? Number(text.slice(slash + 1)) : 33;
  if (slash < 0 || address === undefined || prefix > 32) return undefined;
  return { address, subnet: subnetOf(address, prefix) };
}

/** `a.b.c.d/n` of a subnet. */
export function formatSubnet({ base, prefix }: Subnet): string {
  return `${formatIpv4(base)}/${prefix}`;
}

/** The subnet of `prefix` bits that `address` lies in. */
export function subnetOf(address: number, prefix: number): Subnet {
  return { base: address - (address % 2 ** (32 - prefix)), prefix };
}

/** The highest address of a subnet (the broadcast address if it has one). */
export function lastAddress({ base, prefix }: Subnet): number {
  return base + 2 ** (32 - prefix) - 1;
}

/** Tells whether `address` lies in `subnet`. */
export function containsAddress(subnet: Subnet, address: number): boolean {
  return address >= subnet.base && address <= lastAddress(subnet);
}

/** Tells whether all of `inner` lies in `outer`. */
export function containsSubnet(outer: Subnet, inner: Subnet): boolean {
  return containsAddress(outer, inner.base) && inner.prefix >= outer.prefix;
}

/** Tells whether two subnets share an address. */
export function overlaps(a: Subnet, b: Subnet): boolean {
  return a.base <= lastAddress(b) && b.base <= lastAddress(a);
}
