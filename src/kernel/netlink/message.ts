/**
 * The wire format of netlink: messages of a header and a payload, whose end is often a list of attributes, everything
 * padded to 4 bytes and in host byte order (little-endian here). See Documentation/userspace-api/netlink in the kernel.
 */

/** A message without its length; `flags` and `type` are NLM_F_* and NLMSG_* or numbers of the family. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly payload: Buffer;
}

/** An attribute to send: bytes, or attributes nested in it. */
export interface Attribute {
  readonly type: number;
  readonly value: Uint8Array | readonly Attribute[];
}

/** A received attribute; `decodeAttributes(value)` where the type says that it nests others. */
export type ReceivedAttribute = readonly [type: number, value: Buffer];

const headerSize = 16;
const attributeHeaderSize = 4;
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;

function aligned(length: number): number {
  return (length + 3) & ~3;
}

/** struct nlmsghdr {u32 length; u16 type; u16 flags; u32 sequence; u32 port} with its payload. */
export function encodeMessage({ type, flags, sequence, payload }: NetlinkMessage): Buffer {
  const raw = Buffer.alloc(aligned(headerSize + payload.length));
  raw.writeUInt32LE(headerSize + payload.length, 0);
  raw.writeUInt16LE(type, 4);
  raw.writeUInt16LE(flags, 6);
  raw.writeUInt32LE(sequence, 8);
  payload.copy(raw, headerSize);
  return raw;
}

/** The messages of one datagram; throws on lengths that do not fit. Payloads are views into `raw`. */
export function decodeMessages(raw: Buffer): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  for (let offset = 0; offset < raw.length; ) {
    if (raw.length - offset < headerSize) throw malformed('message header', offset);
    const length = raw.readUInt32LE(offset);
    if (length < headerSize || length > raw.length - offset) throw malformed('message', offset);
    messages.push({
      type: raw.readUInt16LE(offset + 4),
      flags: raw.readUInt16LE(offset + 6),
      sequence: raw.readUInt32LE(offset + 8),
      payload: raw.subarray(offset + headerSize, offset + length),
    });
    offset += aligned(length);
  }
  return messages;
}

/** Attributes one after the other. RangeError when one exceeds 65535 bytes with its header. */
export function encodeAttributes(attributes: readonly Attribute[]): Buffer {
  return Buffer.concat(attributes.map(encodeAttribute));
}

/** struct nlattr {u16 length; u16 type}, the value, padding. */
function encodeAttribute({ type, value }: Attribute): Buffer {
  const nested = !(value instanceof Uint8Array);
  const bytes = nested ? encodeAttributes(value) : value;
  const raw = Buffer.alloc(aligned(attributeHeaderSize + bytes.length));
  raw.writeUInt16LE(attributeHeaderSize + bytes.length, 0);
  raw.writeUInt16LE(nested ? type | NLA_F_NESTED : type, 2);
  raw.set(bytes, attributeHeaderSize);
  return raw;
}

/** The attributes in `raw`, in order; throws on lengths that do not fit. Values are views. */
export function decodeAttributes(raw: Buffer): ReceivedAttribute[] {
  const attributes: ReceivedAttribute[] = [];
  for (let offset = 0; offset < raw.length; ) {
    if (raw.length - offset < attributeHeaderSize) throw malformed('attribute header', offset);
    const length = raw.readUInt16LE(offset);
    if (length < attributeHeaderSize || length > raw.length - offset) throw malformed('attribute', offset);
    const value = raw.subarray(offset + attributeHeaderSize, offset + length);
    attributes.push([raw.readUInt16LE(offset + 2) & NLA_TYPE_MASK, value]);
    offset += aligned(length);
  }
  return attributes;
}

/** The value of an attribute that is one byte. */
export function u8(value: number): Buffer {
  return Buffer.of(value);
}

/** The value of an attribute that is a 32-bit number. */
export function u32(value: number): Buffer {
  const raw = Buffer.alloc(4);
  raw.writeUInt32LE(value);
  return raw;
}

/** The value of an attribute that is a string. */
export function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

/** The string in a received attribute. */
export function textOf(value: Buffer | undefined): string {
  if (value === undefined) return '';
  const end = value.indexOf(0);
  return value.toString('utf8', 0, end < 0 ? value.length : end);
}

/** The 32-bit number in a received attribute; undefined when it is missing or too short. */
export function u32Of(value: Buffer | undefined): number | undefined {
  return value !== undefined && value.length >= 4 ? value.readUInt32LE(0) : undefined;
}

function malformed(what: string, offset: number): Error {
  return new Error(`malformed netlink ${what} at byte ${offset}`);
}
