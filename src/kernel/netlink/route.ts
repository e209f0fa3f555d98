import { formatAddress } from '../ip-address.ts';
import { parsePrefix } from './address.ts';
import {
  type Attribute,
  decodeAttributes,
  encodeAttributes,
  type NetlinkMessage,
  u32,
  u32Of,
} from './message.ts';

/** RTM_* of routes. */
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;

const AF_INET = 2;
const AF_INET6 = 10;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_TABLE = 15;
const RT_TABLE_MAIN = 254;
const RTN_UNICAST = 1;
const RTPROT_STATIC = 4;
const RT_SCOPE_LINK = 253;
const RTM_F_CLONED = 0x200;

/** A route to add or remove. */
export interface NewRoute {
  /** "10.1.0.0/16"; without it the default route of the gateway's family. */
  readonly dst?: string;
  readonly gateway?: string;
  /** Index of the device; may be left out when the gateway tells it. */
  readonly device?: number;
  /** Preferred source address. */
  readonly source?: string;
  /** The lowest wins. */
  readonly metric?: number;
}

/** A unicast route of the main table. */
export interface Route {
  readonly family: 'ipv4' | 'ipv6';
  /** "0.0.0.0/0" and "::/0" are default routes. */
  readonly dst: string;
  readonly gateway: string | undefined;
  /** Index of the device; undefined for a route over several. */
  readonly device: number | undefined;
  readonly source: string | undefined;
  readonly metric: number;
}

/** The payload that adds or removes a route. */
export function encodeRoute({ dst, gateway, device, source, metric }: NewRoute): Buffer {
  const via = gateway === undefined ? undefined : parsePrefix(gateway);
  const block = parsePrefix(dst ?? (via?.family === AF_INET6 ? '::/0' : '0.0.0.0/0'));
  const attributes: Attribute[] = [];
  if (block.length > 0) attributes.push({ type: RTA_DST, value: block.bytes });
  if (via !== undefined) attributes.push({ type: RTA_GATEWAY, value: via.bytes });
  if (device !== undefined) attributes.push({ type: RTA_OIF, value: u32(device) });
  if (source !== undefined) attributes.push({ type: RTA_PREFSRC, value: parsePrefix(source).bytes });
  if (metric !== undefined) attributes.push({ type: RTA_PRIORITY, value: u32(metric) });
  const header = Buffer.alloc(12); // struct rtmsg {u8 family, dst_len, src_len, tos, table, protocol, scope, type; u32 flags}
  const scope = via === undefined && block.family === AF_INET ? RT_SCOPE_LINK : 0;
  header.set([block.family, block.length, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, scope, RTN_UNICAST]);
  return Buffer.concat([header, encodeAttributes(attributes)]);
}

/** The payload that asks for all routes. */
export function encodeRouteQuery(): Buffer {
  return Buffer.alloc(12);
}

/** Reads an RTM_NEWROUTE message; undefined for what is not a unicast IP route of the main table. */
export function decodeRoute({ payload }: NetlinkMessage): Route | undefined {
  const [family, length, , , table, , , type] = payload;
  const attributes = new Map(decodeAttributes(payload.subarray(12)));
  const cached = (payload.readUInt32LE(8) & RTM_F_CLONED) !== 0;
  if ((u32Of(attributes.get(RTA_TABLE)) ?? table) !== RT_TABLE_MAIN || type !== RTN_UNICAST || cached)
    return undefined;
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const addressOf = (attribute: number): string | undefined => {
    const bytes = attributes.get(attribute);
    return bytes === undefined ? undefined : formatAddress(bytes);
  };
  return {
    family: family === AF_INET ? 'ipv4' : 'ipv6',
    dst: `${addressOf(RTA_DST) ?? (family === AF_INET ? '0.0.0.0' : '::')}/${length}`,
    gateway: addressOf(RTA_GATEWAY),
    device: u32Of(attributes.get(RTA_OIF)),
    source: addressOf(RTA_PREFSRC),
    metric: u32Of(attributes.get(RTA_PRIORITY)) ?? 0,
  };
}
