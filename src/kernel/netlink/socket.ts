import { constants as os } from 'node:os';
import type { SystemError } from '#/base/errors.ts';
import { close } from '../at.ts';
import { check, systemError, uninterrupted } from '../errno.ts';
import { libc } from '../libc.ts';
import { setSocketOption } from '../socket-option.ts';
import { decodeAttributes, decodeMessages, encodeMessage, type NetlinkMessage, textOf } from './message.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const MSG_TRUNC = 0x20;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_DUMP = 0x300;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;

/** NETLINK_ROUTE: links, addresses, routes. */
export const NETLINK_ROUTE = 0;
/** NETLINK_NETFILTER: nftables, conntrack. */
export const NETLINK_NETFILTER = 12;

/** The kernel answers while it takes the request: waiting this long means that something is broken. */
const timeoutSeconds = 10n;
/** A list that changed while it was read is read again this often. */
const dumpAttempts = 20;

/** Received datagrams; the kernel makes them at most 32 KiB long. */
const inbox = Buffer.allocUnsafeSlow(131072);

/** A request without its sequence number; `flags` beside REQUEST, ACK and DUMP, which are added. */
export interface NetlinkRequest {
  readonly type: number;
  readonly flags?: number;
  readonly payload: Buffer;
  /** What is asked, for the message of an error: "add veth 'eth0'". */
  readonly about: string;
}

/** A netlink socket for requests to the kernel, in the network namespace in which it was opened. Synchronous. */
export class NetlinkSocket implements Disposable {
  readonly #fd: number;
  #sequence = 0;
  #closed = false;

  constructor(protocol: number) {
    this.#fd = openNetlink(protocol);
    try {
      const timeout = Buffer.alloc(16); // struct timeval
      timeout.writeBigInt64LE(timeoutSeconds, 0);
      check(libc.setsockopt(this.#fd, SOL_SOCKET, SO_RCVTIMEO, timeout, timeout.length), 'setsockopt');
      for (const name of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK]) {
        setSocketOption(this.#fd, SOL_NETLINK, { name, value: 1 });
      }
      // Connected to the kernel (port 0), the socket takes no messages of other processes.
      const kernel = netlinkAddress();
      check(libc.connect(this.#fd, kernel, kernel.length), 'connect');
    } catch (error) {
      close(this.#fd);
      throw error;
    }
  }

  /** Sends a request and waits for the kernel's answer. Returns the messages that came before the acknowledgement. */
  request(request: NetlinkRequest): NetlinkMessage[] {
    const sequence = this.#send(request, NLM_F_REQUEST | NLM_F_ACK | (request.flags ?? 0));
    return this.#answers(sequence, request).messages;
  }

  /** Reads a list. Throws EAGAIN when it changes each time while it is read. */
  dump(request: NetlinkRequest): NetlinkMessage[] {
    for (let attempt = 0; attempt < dumpAttempts; attempt++) {
      const sequence = this.#send(request, NLM_F_REQUEST | NLM_F_DUMP | (request.flags ?? 0));
      const { messages, interrupted } = this.#answers(sequence, request);
      if (!interrupted) return messages;
    }
    throw systemError('netlink', os.errno.EAGAIN, request.about);
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    close(this.#fd);
  }

  #send({ type, payload, about }: NetlinkRequest, flags: number): number {
    if (this.#closed) throw systemError('netlink', os.errno.EBADF, about);
    this.#sequence = (this.#sequence + 1) >>> 0;
    const raw = encodeMessage({ type, flags, sequence: this.#sequence, payload });
    check(
      uninterrupted(() => libc.send(this.#fd, raw, raw.length, 0)),
      'netlink',
      about,
    );
    return this.#sequence;
  }

  #answers(sequence: number, request: NetlinkRequest): { messages: NetlinkMessage[]; interrupted: boolean } {
    const messages: NetlinkMessage[] = [];
    let interrupted = false;
    for (;;) {
      for (const message of decodeMessages(this.#receive(request))) {
        // An answer to an earlier request whose reading was given up.
        if (message.sequence !== sequence) continue;
        if ((message.flags & NLM_F_DUMP_INTR) !== 0) interrupted = true;
        if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
          const failure = failureOf(message, request);
          if (failure !== undefined) throw failure;
          return { messages, interrupted };
        }
        messages.push(message);
      }
    }
  }

  #receive({ about }: NetlinkRequest): Buffer {
    const length = check(
      uninterrupted(() => libc.recv(this.#fd, inbox, inbox.length, MSG_TRUNC)),
      'netlink',
      about,
    );
    if (length > inbox.length) throw systemError('netlink', os.errno.EMSGSIZE, about);
    return Buffer.from(inbox.subarray(0, length));
  }
}

/** Opens a netlink socket that is bound to a port of its own and, for notices, joined to multicast groups. */
export function openNetlink(protocol: number, groups: readonly number[] = []): number {
  const fd = check(libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), 'socket');
  try {
    const own = netlinkAddress();
    check(libc.bind(fd, own, own.length), 'bind');
    for (const value of groups) setSocketOption(fd, SOL_NETLINK, { name: NETLINK_ADD_MEMBERSHIP, value });
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** struct sockaddr_nl {u16 family; u16; u32 port; u32 groups}. Port 0 is the kernel, or to bind: choose one. */
function netlinkAddress(): Buffer {
  const raw = Buffer.alloc(12);
  raw.writeUInt16LE(AF_NETLINK, 0);
  return raw;
}

/** Undefined for an acknowledgement; otherwise the error with the kernel's own explanation, if it gave one. */
function failureOf(message: NetlinkMessage, { about }: NetlinkRequest): SystemError | undefined {
  const { payload, type } = message;
  const status = payload.length >= 4 ? payload.readInt32LE(0) : 0;
  if (status >= 0) return undefined;
  const error = systemError('netlink', -status, about);
  const explanation = type === NLMSG_ERROR ? explanationIn(message) : '';
  if (explanation !== '') error.message += ` (${explanation})`;
  return error;
}

/** struct nlmsgerr {i32 error; the request's header, and its payload unless capped}, then attributes. */
function explanationIn({ payload, flags }: NetlinkMessage): string {
  if ((flags & NLM_F_ACK_TLVS) === 0 || payload.length < 20) return '';
  const start = (flags & NLM_F_CAPPED) !== 0 ? 20 : 4 + ((payload.readUInt32LE(4) + 3) & ~3);
  const attributes = new Map(decodeAttributes(payload.subarray(start)));
  return textOf(attributes.get(NLMSGERR_ATTR_MSG));
}
