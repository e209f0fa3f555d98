import { invalid } from '#/base/errors.ts';
import { addressBytes, formatAddress } from '../ip-address.ts';
import {
  type Attribute,
  decodeAttributes,
  encodeAttributes,
  type NetlinkMessage,
  u32,
  u32Of,
} from './message.ts';

/** RTM_* of addresses. */
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;

const AF_INET = 2;
const AF_INET6 = 10;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const IFA_FLAGS = 8;
const IFA_F_NODAD = 0x02;

/** An address of a device. */
export interface LinkAddress {
  /** Index of the device. */
  readonly link: number;
  readonly family: 'ipv4' | 'ipv6';
  /** With the length of the network's prefix: "172.17.0.1/16". */
  readonly address: string;
  /** 0 global, 253 link, 254 host. */
  readonly scope: number;
}

/** An address block in bytes. */
export interface Prefix {
  readonly family: number;
  readonly bytes: Buffer;
  readonly length: number;
}

/** Reads "10.0.0.1/24" or "fd00::1/64"; without a length it is a single address. EngineError 'invalid' otherwise. */
export function parsePrefix(cidr: string): Prefix {
  const [ip = '', digits, ...rest] = cidr.split('/');
  const bytes = addressBytes(ip);
  const bits = bytes.length * 8;
  const length = digits === undefined ? bits : /^\d{1,3}$/.test(digits) ? Number(digits) : -1;
  if (rest.length > 0 || length < 0 || length > bits) throw invalid(`invalid address block: "${cidr}"`);
  return { family: bytes.length === 4 ? AF_INET : AF_INET6, bytes, length };
}

/** The payload that adds or removes an address. */
export function encodeAddress(link: number, cidr: string): Buffer {
  const { family, bytes, length } = parsePrefix(cidr);
  const attributes: Attribute[] = [
    { type: IFA_LOCAL, value: bytes },
    { type: IFA_ADDRESS, value: bytes },
  ];
  if (family === AF_INET && length <= 30)
    attributes.push({ type: IFA_BROADCAST, value: lastOf(bytes, length) });
  // Duplicate address detection would keep the address unusable for a second; ours are handed out, not guessed.
  if (family === AF_INET6) attributes.push({ type: IFA_FLAGS, value: u32(IFA_F_NODAD) });
  return Buffer.concat([addressHeader({ family, length, link }), encodeAttributes(attributes)]);
}

/** The payload that asks for the addresses of a device, or of all (0). */
export function encodeAddressQuery(link: number = 0): Buffer {
  return addressHeader({ family: 0, length: 0, link });
}

/** Reads an RTM_NEWADDR message; undefined for other families than IP. */
export function decodeAddress({ payload }: NetlinkMessage): LinkAddress | undefined {
  const family = payload.readUInt8(0);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const attributes = new Map(decodeAttributes(payload.subarray(8)));
  // On a point-to-point device IFA_ADDRESS is the other side; IPv6 has no IFA_LOCAL otherwise.
  const bytes = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
  if (bytes === undefined) return undefined;
  return {
    link: u32Of(payload.subarray(4)) ?? 0,
    family: family === AF_INET ? 'ipv4' : 'ipv6',
    address: `${formatAddress(bytes)}/${payload.readUInt8(1)}`,
    scope: payload.readUInt8(3),
  };
}

/** struct ifaddrmsg {u8 family; u8 prefix; u8 flags; u8 scope; u32 index}. */
function addressHeader({ family, length, link }: { family: number; length: number; link: number }): Buffer {
  const raw = Buffer.alloc(8);
  raw.writeUInt8(family, 0);
  raw.writeUInt8(length, 1);
  raw.writeUInt32LE(link, 4);
  return raw;
}

/** The last address of an IPv4 block. */
function lastOf(bytes: Buffer, length: number): Buffer {
  const last = Buffer.alloc(4);
  last.writeUInt32BE((bytes.readUInt32BE(0) | (0xffffffff >>> length)) >>> 0);
  return last;
}
