import { constants as os } from 'node:os';
import { close } from '../at.ts';
import { check, systemError, uninterrupted } from '../errno.ts';
import { errno, libc } from '../libc.ts';
import { type FdWatch, watchFd } from '../poll.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_FLAGS = 0o2004000; // SOCK_CLOEXEC | SOCK_NONBLOCK
const NETLINK_NETFILTER = 12;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NFNLGRP_NFTABLES = 7;
const MSG_DONTWAIT = 0x40;

/** NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN and NFT_MSG_GETGEN. */
const NEWGEN = 0x0a0f;
const GETGEN = 0x0a10;
const NLM_F_REQUEST = 1;
const NLMSG_ERROR = 2;
/** struct nlmsghdr and struct nfgenmsg. */
const headerSize = 20;
const NFTA_GEN_ID = 1;

/** Notices are only counted: what does not fit is cut off by the kernel. */
const inbox = Buffer.allocUnsafeSlow(256);

/**
 * Tells when somebody changes nftables rules in the network namespace that this was opened in, whoever it is (nft,
 * iptables-nft, firewalld, this process). Main thread only.
 */
export class RulesetWatch implements Disposable {
  readonly #queries: number;
  readonly #notices: number;
  readonly #watch: FdWatch;

  /** `onChange` is called from the event loop after one or several changes. It does not keep the process alive. */
  constructor(onChange: () => void) {
    this.#queries = openSocket();
    try {
      this.#notices = openSocket();
      try {
        const group = Buffer.alloc(4);
        group.writeUInt32LE(NFNLGRP_NFTABLES);
        const joined = libc.setsockopt(
          this.#notices,
          SOL_NETLINK,
          NETLINK_ADD_MEMBERSHIP,
          group,
          group.length,
        );
        check(joined, 'setsockopt', 'NETLINK_ADD_MEMBERSHIP');
        this.#watch = watchFd(this.#notices, { readable: true, writable: false }, () => {
          drain(this.#notices);
          onChange();
        });
        this.#watch.unref();
      } catch (error) {
        close(this.#notices);
        throw error;
      }
    } catch (error) {
      close(this.#queries);
      throw error;
    }
  }

  /** The ruleset's generation: every transaction that changes something adds one (32 bits, wraps round). */
  generation(): number {
    const request = Buffer.alloc(headerSize);
    request.writeUInt32LE(request.length, 0);
    request.writeUInt16LE(GETGEN, 4);
    request.writeUInt16LE(NLM_F_REQUEST, 6);
    check(libc.send(this.#queries, request, request.length, 0), 'send', 'NFT_MSG_GETGEN');
    const length = check(
      uninterrupted(() => libc.recv(this.#queries, inbox, inbox.length, 0)),
      'recv',
    );
    return parseGeneration(inbox.subarray(0, length));
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
    close(this.#notices);
    close(this.#queries);
  }
}

function openSocket(): number {
  return check(
    libc.socket(AF_NETLINK, SOCK_RAW | SOCK_FLAGS, NETLINK_NETFILTER),
    'socket',
    'NETLINK_NETFILTER',
  );
}

/** Throws away what has arrived. Notices that were lost because there were too many (ENOBUFS) are notices as well. */
function drain(fd: number): void {
  for (;;) {
    if (libc.recv(fd, inbox, 1, MSG_DONTWAIT) >= 0) continue;
    const error = errno();
    if (error === os.errno.EAGAIN) return;
    if (error !== os.errno.ENOBUFS && error !== os.errno.EINTR) throw systemError('recv', error);
  }
}

function parseGeneration(message: Buffer): number {
  const type = message.length >= headerSize ? message.readUInt16LE(4) : 0;
  if (type === NLMSG_ERROR) throw systemError('recv', -message.readInt32LE(16), 'NFT_MSG_GETGEN');
  if (type === NEWGEN) {
    for (let at = headerSize; at + 8 <= message.length; ) {
      const length = message.readUInt16LE(at);
      if (message.readUInt16LE(at + 2) === NFTA_GEN_ID && length === 8) return message.readUInt32BE(at + 4);
      at += Math.max(4, (length + 3) & ~3);
    }
  }
  throw new Error(`unexpected answer to NFT_MSG_GETGEN: ${message.toString('hex')}`);
}
