import { constants as os } from 'node:os';
import { close } from '../at.ts';
import { systemError, uninterrupted } from '../errno.ts';
import { errno, libc } from '../libc.ts';
import { type FdWatch, watchFd } from '../poll.ts';
import { decodeMessages, type NetlinkMessage } from './message.ts';
import { openNetlink } from './socket.ts';

/** Multicast groups of NETLINK_ROUTE. */
export const RTNLGRP_LINK = 1;
export const RTNLGRP_IPV4_IFADDR = 5;
/** Multicast group of NETLINK_NETFILTER: every change of nftables. */
export const NFNLGRP_NFTABLES = 7;

const MSG_DONTWAIT = 0x40;
const MSG_TRUNC = 0x20;
const datagramsPerTurn = 64;

const inbox = Buffer.allocUnsafeSlow(65536);

/** What to listen to, and whom to tell. */
export interface NetlinkSubscription {
  /** NETLINK_ROUTE or NETLINK_NETFILTER. */
  readonly protocol: number;
  readonly groups: readonly number[];
  readonly onMessages: (messages: NetlinkMessage[]) => void;
  /** Notices were lost because they came faster than they were read: look at everything anew. */
  readonly onOverflow: () => void;
}

/**
 * Listens to the kernel's notices of changes in the present network namespace until the result is disposed of.
 * It does not keep the process alive.
 */
export function watchNetlink(subscription: NetlinkSubscription): Disposable {
  const fd = openNetlink(subscription.protocol, subscription.groups);
  let watch: FdWatch;
  let closed = false;
  try {
    watch = watchFd(fd, { readable: true, writable: false }, () => {
      for (let count = 0; count < datagramsPerTurn && !closed && receive(fd, subscription); count++);
    });
  } catch (error) {
    close(fd);
    throw error;
  }
  watch.unref();
  return {
    [Symbol.dispose]: () => {
      if (closed) return;
      closed = true;
      watch[Symbol.dispose]();
      close(fd);
    },
  };
}

/** False: nothing is left for now. */
function receive(fd: number, { onMessages, onOverflow }: NetlinkSubscription): boolean {
  const length = uninterrupted(() => libc.recv(fd, inbox, inbox.length, MSG_DONTWAIT | MSG_TRUNC));
  if (length > inbox.length) {
    onOverflow();
    return true;
  }
  if (length >= 0) {
    onMessages(decodeMessages(Buffer.from(inbox.subarray(0, length))));
    return true;
  }
  const error = errno();
  if (error === os.errno.EAGAIN) return false;
  if (error !== os.errno.ENOBUFS) throw systemError('netlink', error);
  onOverflow();
  return true;
}
