import { invalid } from '#/base/errors.ts';
import {
  type Attribute,
  decodeAttributes,
  encodeAttributes,
  type NetlinkMessage,
  text,
  textOf,
  u8,
  u32,
  u32Of,
} from './message.ts';

/** RTM_* of links. */
export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_SETLINK = 19;

const AF_BRIDGE = 7;
const IFF_UP = 0x1;
const IFF_LOWER_UP = 0x10000;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_PROTINFO = 12;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_STATS64 = 23;
const IFLA_NET_NS_FD = 28;
const IFLA_LINK_NETNSID = 37;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_KIND = 4;
const IFLA_INFO_SLAVE_DATA = 5;
const VETH_INFO_PEER = 1;

/** A network device. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** "bridge", "veth", "macvlan"…; undefined for hardware and the loopback device. */
  readonly kind: string | undefined;
  /** Hardware address, "02:42:ac:11:00:02"; empty if it has none. */
  readonly mac: string;
  readonly mtu: number;
  /** Switched on. */
  readonly up: boolean;
  /** Switched on and connected. */
  readonly running: boolean;
  /** Index of the bridge that it is a port of. */
  readonly master: number | undefined;
  /** Index of the device that it stands on, or of its veth peer, perhaps in another namespace. */
  readonly parent: number | undefined;
  /** The number that this namespace gives to the namespace of `parent`; undefined when it is this one. */
  readonly parentNetns: number | undefined;
  readonly alias: string;
  /** Options as a port of a bridge; undefined when it is not one. */
  readonly bridgePort: Required<BridgePortOptions> | undefined;
  readonly statistics: LinkStatistics;
}

/** Counters of a device since it was made. */
interface LinkStatistics {
  readonly rxPackets: number;
  readonly txPackets: number;
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly rxErrors: number;
  readonly txErrors: number;
  readonly rxDropped: number;
  readonly txDropped: number;
}

/** Properties of a device to set. What is not given stays. */
export interface LinkChange {
  readonly up?: boolean;
  readonly name?: string;
  readonly mtu?: number;
  readonly mac?: string;
  /** Index of the bridge to join; 0 leaves the present one. */
  readonly master?: number;
  readonly alias?: string;
  /** Move into this network namespace. */
  readonly netnsFd?: number;
}

/** A device to make: its kind and that kind's own settings (IFLA_INFO_DATA). */
export interface NewLink extends LinkChange {
  readonly name: string;
  readonly kind: string;
  /** Index of the device that it stands on (macvlan, ipvlan, vlan). */
  readonly parent?: number;
  readonly data?: readonly Attribute[];
}

/** Options of a bridge port. */
export interface BridgePortOptions {
  /** Send frames back out of the port that they came from: a container reaching its own published port. */
  readonly hairpin?: boolean;
  /** Do not talk to other isolated ports of the bridge. */
  readonly isolated?: boolean;
  /** Learn addresses from frames. */
  readonly learning?: boolean;
  /** Send frames to unknown addresses out of this port. */
  readonly flood?: boolean;
}

/** IFLA_BRPORT_* */
const portAttributes: Readonly<Record<keyof BridgePortOptions, number>> = {
  hairpin: 4,
  learning: 8,
  flood: 9,
  isolated: 33,
};

/** Throws an EngineError of kind 'invalid' for a name that the kernel would refuse. */
export function checkLinkName(name: string): void {
  // IFNAMSIZ is 16 with the NUL; dev_valid_name() in the kernel.
  const valid = /^[^\s/:\0]+$/.test(name) && name !== '.' && name !== '..' && !name.includes('%');
  if (!valid || Buffer.byteLength(name) > 15) throw invalid(`invalid network device name: "${name}"`);
}

/** The payload that names one device and changes it. */
export function encodeLinkChange(index: number, change: LinkChange): Buffer {
  return Buffer.concat([linkHeader({ index, up: change.up }), encodeAttributes(changeAttributes(change))]);
}

/** The payload that makes a device. */
export function encodeNewLink(link: NewLink): Buffer {
  const info: Attribute[] = [{ type: IFLA_INFO_KIND, value: text(link.kind) }];
  if (link.data !== undefined) info.push({ type: IFLA_INFO_DATA, value: link.data });
  const attributes = [...changeAttributes(link), { type: IFLA_LINKINFO, value: info }];
  if (link.parent !== undefined) attributes.push({ type: IFLA_LINK, value: u32(link.parent) });
  return Buffer.concat([linkHeader({ up: link.up }), encodeAttributes(attributes)]);
}

/** The settings of a veth pair: its other end, which is made at the same time. */
export function vethPeer(peer: LinkChange): Attribute[] {
  const value = Buffer.concat([linkHeader({ up: peer.up }), encodeAttributes(changeAttributes(peer))]);
  return [{ type: VETH_INFO_PEER, value }];
}

/** The payload that asks for one device by name. */
export function encodeLinkQuery(name: string): Buffer {
  return Buffer.concat([linkHeader({}), encodeAttributes([{ type: IFLA_IFNAME, value: text(name) }])]);
}

/** The payload without attributes: of one device, or of all for a list. */
export function encodeLinkIndex(index: number = 0): Buffer {
  return linkHeader({ index });
}

/** The payload that sets options of a bridge port. */
export function encodeBridgePort(index: number, options: BridgePortOptions): Buffer {
  const value = Object.entries(portAttributes).flatMap(([name, type]): Attribute[] => {
    const wanted = options[name as keyof BridgePortOptions];
    return wanted === undefined ? [] : [{ type, value: u8(wanted ? 1 : 0) }];
  });
  const header = linkHeader({ index, family: AF_BRIDGE });
  return Buffer.concat([header, encodeAttributes([{ type: IFLA_PROTINFO, value }])]);
}

/** Reads an RTM_NEWLINK message. */
export function decodeLink({ payload }: NetlinkMessage): Link {
  const flags = payload.readUInt32LE(8);
  const attributes = new Map(decodeAttributes(payload.subarray(16)));
  const info = new Map(decodeAttributes(attributes.get(IFLA_LINKINFO) ?? Buffer.alloc(0)));
  const kind = info.get(IFLA_INFO_KIND);
  return {
    index: payload.readInt32LE(4),
    name: textOf(attributes.get(IFLA_IFNAME)),
    kind: kind === undefined ? undefined : textOf(kind),
    mac: formatMac(attributes.get(IFLA_ADDRESS) ?? Buffer.alloc(0)),
    mtu: u32Of(attributes.get(IFLA_MTU)) ?? 0,
    up: (flags & IFF_UP) !== 0,
    running: (flags & IFF_LOWER_UP) !== 0,
    master: u32Of(attributes.get(IFLA_MASTER)),
    parent: u32Of(attributes.get(IFLA_LINK)),
    parentNetns: u32Of(attributes.get(IFLA_LINK_NETNSID)),
    alias: textOf(attributes.get(IFLA_IFALIAS)),
    bridgePort: decodeBridgePort(info),
    statistics: decodeStatistics(attributes.get(IFLA_STATS64)),
  };
}

function decodeBridgePort(info: ReadonlyMap<number, Buffer>): Required<BridgePortOptions> | undefined {
  if (textOf(info.get(IFLA_INFO_SLAVE_KIND)) !== 'bridge') return undefined;
  const data = new Map(decodeAttributes(info.get(IFLA_INFO_SLAVE_DATA) ?? Buffer.alloc(0)));
  const isSet = (name: keyof BridgePortOptions): boolean => data.get(portAttributes[name])?.[0] === 1;
  return {
    hairpin: isSet('hairpin'),
    isolated: isSet('isolated'),
    learning: isSet('learning'),
    flood: isSet('flood'),
  };
}

/** The six bytes of "02:42:ac:11:00:02"; an EngineError of kind 'invalid' for anything else. */
export function macBytes(mac: string): Buffer {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac)) throw invalid(`invalid MAC address: "${mac}"`);
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

/** The text of a hardware address of any length. */
export function formatMac(bytes: Buffer): string {
  return bytes.toString('hex').replace(/..(?!$)/g, '$&:');
}

/** struct ifinfomsg {u8 family; u8; u16 type; i32 index; u32 flags; u32 change}. */
function linkHeader(link: { family?: number; index?: number; up?: boolean | undefined }): Buffer {
  const raw = Buffer.alloc(16);
  raw.writeUInt8(link.family ?? 0, 0);
  raw.writeInt32LE(link.index ?? 0, 4);
  if (link.up !== undefined) {
    raw.writeUInt32LE(link.up ? IFF_UP : 0, 8);
    raw.writeUInt32LE(IFF_UP, 12);
  }
  return raw;
}

function changeAttributes({ name, mtu, mac, master, alias, netnsFd }: LinkChange): Attribute[] {
  const attributes: Attribute[] = [];
  if (name !== undefined) {
    checkLinkName(name);
    attributes.push({ type: IFLA_IFNAME, value: text(name) });
  }
  if (mtu !== undefined) attributes.push({ type: IFLA_MTU, value: u32(mtu) });
  if (mac !== undefined) attributes.push({ type: IFLA_ADDRESS, value: macBytes(mac) });
  if (master !== undefined) attributes.push({ type: IFLA_MASTER, value: u32(master) });
  if (alias !== undefined) attributes.push({ type: IFLA_IFALIAS, value: text(alias) });
  if (netnsFd !== undefined) attributes.push({ type: IFLA_NET_NS_FD, value: u32(netnsFd) });
  return attributes;
}

/** struct rtnl_link_stats64, its first eight numbers. */
function decodeStatistics(raw: Buffer | undefined): LinkStatistics {
  const at = (index: number): number =>
    raw !== undefined && raw.length >= (index + 1) * 8 ? Number(raw.readBigUInt64LE(index * 8)) : 0;
  return {
    rxPackets: at(0),
    txPackets: at(1),
    rxBytes: at(2),
    txBytes: at(3),
    rxErrors: at(4),
    txErrors: at(5),
    rxDropped: at(6),
    txDropped: at(7),
  };
}
