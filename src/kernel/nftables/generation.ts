import { decodeAttributes } from '../netlink/message.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';

/** NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN and NFT_MSG_GETGEN. */
const NEWGEN = 0x0a0f;
const GETGEN = 0x0a10;
const NFTA_GEN_ID = 1;

/**
 * The generation of the nftables ruleset: every transaction that changes something adds one (32 bits, wraps round), so
 * an unexpected number means that somebody else was there. `socket` speaks NETLINK_NETFILTER.
 */
export function rulesetGeneration(socket: NetlinkSocket): number {
  const payload = Buffer.alloc(4); // struct nfgenmsg
  for (const message of socket.request({ type: GETGEN, payload, about: 'get ruleset generation' })) {
    const id = new Map(decodeAttributes(message.payload.subarray(4))).get(NFTA_GEN_ID);
    if (message.type === NEWGEN && id !== undefined) return id.readUInt32BE(0);
  }
  throw new Error('the kernel did not tell the generation of the ruleset');
}
