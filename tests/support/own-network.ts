/**
 * Import this first in a test file that makes links or rules, or listens on fixed ports: its process, and what it
 * starts, gets a network namespace of its own, so that test files can run at the same time.
 */
import { check } from '#/kernel/errno.ts';
import { libc } from '#/kernel/libc.ts';
import { Rtnetlink } from '#/kernel/netlink/rtnetlink.ts';

const CLONE_NEWNET = 0x40000000;
const loopback = 1;

check(libc.unshare(CLONE_NEWNET), 'unshare');
using network = Rtnetlink.open();
network.setLink(loopback, { up: true });
