import { isSystemError } from '#/base/errors.ts';
import {
  type Attribute,
  decodeAttributes,
  encodeAttributes,
  type NetlinkMessage,
  u8,
  u32,
} from './message.ts';
import type { NetlinkSocket } from './socket.ts';

/** NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW, _GET and _DELETE. */
const CT_NEW = 0x0100;
const CT_GET = 0x0101;
const CT_DELETE = 0x0102;

const AF_INET = 2;
const CTA_TUPLE_ORIG = 1;
const CTA_FILTER = 25;
const CTA_TUPLE_PROTO = 2;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_DST_PORT = 3;
const CTA_FILTER_ORIG_FLAGS = 1;
const CTA_FILTER_REPLY_FLAGS = 2;
/** Which parts of a tuple count (CTA_FILTER_FLAG in the kernel). */
const FILTER_PROTO_NUM = 1 << 3;
const FILTER_PROTO_DST_PORT = 1 << 5;

const protocolNumbers = { tcp: 6, udp: 17, sctp: 132 } as const;

/** IPv4 connections to forget: those that were sent to one of these ports, of whatever address. */
export interface FlowFilter {
  readonly protocol: keyof typeof protocolNumbers;
  readonly ports: ReadonlySet<number>;
}

/**
 * Makes the kernel forget tracked connections, so that their next packet is looked at by the packet filter as if it were
 * the first. The kernel searches its whole table, some 10 ms even if that is empty. `socket` speaks NETLINK_NETFILTER. Returns how many there were.
 */
export function forgetFlows(socket: NetlinkSocket, filter: FlowFilter): number {
  const payload = Buffer.concat([header(), encodeAttributes(query(filter))]);
  const flows = socket.dump({ type: CT_GET, payload, about: 'list connections' });
  let count = 0;
  for (const message of flows) {
    const tuple = matchingTuple(message, filter);
    if (tuple === undefined) continue;
    const found = encodeAttributes([{ type: CTA_TUPLE_ORIG, value: tuple }]);
    try {
      socket.request({
        type: CT_DELETE,
        payload: Buffer.concat([header(), found]),
        about: 'forget connection',
      });
      count += 1;
    } catch (error) {
      // It has ended by itself.
      if (!isSystemError(error, 'ENOENT')) throw error;
    }
  }
  return count;
}

/** What the kernel is asked to leave out; kernels before 5.8 list everything, hence `matchingTuple`. */
function query({ protocol, ports }: FlowFilter): Attribute[] {
  const [only] = ports;
  const isOne = ports.size === 1 && only !== undefined;
  const port = Buffer.alloc(2);
  if (isOne) port.writeUInt16BE(only);
  const parts: Attribute[] = [
    { type: CTA_PROTO_NUM, value: u8(protocolNumbers[protocol]) },
    ...(isOne ? [{ type: CTA_PROTO_DST_PORT, value: port }] : []),
  ];
  const flags = FILTER_PROTO_NUM | (isOne ? FILTER_PROTO_DST_PORT : 0);
  return [
    { type: CTA_TUPLE_ORIG, value: [{ type: CTA_TUPLE_PROTO, value: parts }] },
    {
      type: CTA_FILTER,
      value: [
        { type: CTA_FILTER_ORIG_FLAGS, value: u32(flags) },
        { type: CTA_FILTER_REPLY_FLAGS, value: u32(0) },
      ],
    },
  ];
}

/** The tuple that names a listed connection, if the connection is one of those meant. */
function matchingTuple(
  { type, payload }: NetlinkMessage,
  { protocol, ports }: FlowFilter,
): Buffer | undefined {
  if (type !== CT_NEW) return undefined;
  const tuple = new Map(decodeAttributes(payload.subarray(4))).get(CTA_TUPLE_ORIG);
  if (tuple === undefined) return undefined;
  const parts = new Map(
    decodeAttributes(new Map(decodeAttributes(tuple)).get(CTA_TUPLE_PROTO) ?? Buffer.alloc(0)),
  );
  const number = parts.get(CTA_PROTO_NUM)?.readUInt8(0);
  const port = parts.get(CTA_PROTO_DST_PORT)?.readUInt16BE(0);
  return number === protocolNumbers[protocol] && port !== undefined && ports.has(port) ? tuple : undefined;
}

/** struct nfgenmsg {u8 family; u8 version; be16 resource}. */
function header(): Buffer {
  return Buffer.from([AF_INET, 0, 0, 0]);
}
