import { addressBytes, formatAddress } from '../ip-address.ts';
import { formatMac, macBytes } from './link.ts';
import { decodeAttributes, encodeAttributes, type NetlinkMessage } from './message.ts';

/** RTM_* of neighbours. */
export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;

const AF_INET = 2;
const AF_INET6 = 10;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NUD_PERMANENT = 0x80;

/** Which hardware address belongs to an IP address on a device (ARP, NDP). */
export interface Neighbour {
  /** Index of the device. */
  readonly device: number;
  readonly ip: string;
  readonly mac: string;
}

/** The payload that adds or removes a permanent entry. */
export function encodeNeighbour({ device, ip, mac }: Neighbour): Buffer {
  const address = addressBytes(ip);
  const header = Buffer.alloc(12); // struct ndmsg {u8 family; u8; u16; i32 index; u16 state; u8 flags; u8 type}
  header.writeUInt8(address.length === 4 ? AF_INET : AF_INET6, 0);
  header.writeInt32LE(device, 4);
  header.writeUInt16LE(NUD_PERMANENT, 8);
  const attributes = [
    { type: NDA_DST, value: address },
    { type: NDA_LLADDR, value: macBytes(mac) },
  ];
  return Buffer.concat([header, encodeAttributes(attributes)]);
}

/** The payload that asks for all neighbours. */
export function encodeNeighbourQuery(): Buffer {
  return Buffer.alloc(12);
}

/** Reads an RTM_NEWNEIGH message; undefined for entries without both addresses (incomplete, or of a bridge). */
export function decodeNeighbour({ payload }: NetlinkMessage): Neighbour | undefined {
  const attributes = new Map(decodeAttributes(payload.subarray(12)));
  const [ip, mac] = [attributes.get(NDA_DST), attributes.get(NDA_LLADDR)];
  if (ip === undefined || mac === undefined) return undefined;
  return { device: payload.readInt32LE(4), ip: formatAddress(ip), mac: formatMac(mac) };
}
