import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '#/base/errors.ts';
import { type Logger } from '#/base/log.ts';
import { forgetFlows } from '#/kernel/netlink/conntrack.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '#/kernel/netlink/socket.ts';
import { NFNLGRP_NFTABLES, watchNetlink } from '#/kernel/netlink/watch.ts';
import { rulesetGeneration } from '#/kernel/nftables/generation.ts';
import { Nftables } from '#/kernel/nftables/nftables.ts';
import { addPorts, noTable, type PortRules, removePorts, type TableContents, wholeTable } from './rules.ts';
import { censusOf, expectedCensus, foreignDrops } from './ruleset.ts';

/** How long the rules must have been quiet before they are looked at: whoever reloads a firewall makes many changes. */
const settleMs = 200;

/**
 * Keeps Skiff's table in the packet filter of the present network namespace as it should be: adds and removes ports at
 * constant cost, and puts everything back if somebody else flushes or deletes it.
 */
export class Firewall implements Disposable {
  readonly #contents: () => TableContents;
  readonly #log: Logger;
  readonly #nft = new Nftables();
  readonly #socket = new NetlinkSocket(NETLINK_NETFILTER);
  readonly #watch: Disposable;
  #timer: NodeJS.Timeout | undefined;
  /** The ruleset's generation after the last change that was ours or that was looked into. */
  #generation: number;

  /** `contents` tells at any time what the table is to contain. Nothing is changed before `replace`. */
  constructor(contents: () => TableContents, log: Logger) {
    this.#contents = contents;
    this.#log = log;
    this.#generation = rulesetGeneration(this.#socket);
    const look = (): void => this.#lookSoon();
    this.#watch = watchNetlink({
      protocol: NETLINK_NETFILTER,
      groups: [NFNLGRP_NFTABLES],
      onMessages: look,
      onOverflow: look,
    });
  }

  /** Makes the table anew from `contents`, in one transaction. */
  replace(): void {
    this.#run(wholeTable(this.#contents()));
  }

  /** Publishes ports, which `contents` includes already. */
  publish(ports: readonly PortRules[]): void {
    if (ports.length === 0) return;
    this.#runOrReplace(addPorts(ports));
    this.#forgetUdp(ports);
  }

  /** Takes ports back, which `contents` includes no more. */
  unpublish(ports: readonly PortRules[]): void {
    if (ports.length === 0) return;
    this.#runOrReplace(removePorts(ports));
    this.#forgetUdp(ports);
  }

  /** Takes the table away. */
  remove(): void {
    this.#run(noTable);
  }

  /** Chains of others that drop forwarded packets unless a rule of theirs accepts them; as "table ip filter, chain FORWARD". */
  foreignDrops(): string[] {
    return foreignDrops(this.#nft.listJson('list chains ip'));
  }

  /** Stops watching; the rules stay. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#watch[Symbol.dispose]();
    this.#socket[Symbol.dispose]();
    this.#nft[Symbol.dispose]();
  }

  /**
   * UDP has no connections that end: a client that goes on sending from the same port would be treated as at its first
   * packet, which went to nobody or to an earlier container. (TCP is not worth the 10 ms that a search can take.)
   */
  #forgetUdp(ports: readonly PortRules[]): void {
    const numbers = new Set(ports.flatMap(({ protocol, hostPort }) => (protocol === 'udp' ? hostPort : [])));
    if (numbers.size > 0) forgetFlows(this.#socket, { protocol: 'udp', ports: numbers });
  }

  /** A change that does not fit the table (somebody has flushed it a moment ago) makes it anew. */
  #runOrReplace(commands: string): void {
    try {
      this.#run(commands);
    } catch (error) {
      this.#log.warn('the packet filter is not as it should be; making its rules anew', {
        error: messageOf(error),
      });
      this.replace();
    }
  }

  #run(commands: string): void {
    const before = rulesetGeneration(this.#socket);
    this.#nft.run(commands);
    const after = rulesetGeneration(this.#socket);
    // Anything but our own step means that somebody else was there as well: their notice will come and be looked into.
    if (before === this.#generation && after === (before + 1) >>> 0) this.#generation = after;
  }

  #lookSoon(): void {
    if (this.#timer !== undefined || rulesetGeneration(this.#socket) === this.#generation) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#look();
    }, settleMs);
    this.#timer.unref();
  }

  #look(): void {
    this.#generation = rulesetGeneration(this.#socket);
    if (isDeepStrictEqual(this.#census(), expectedCensus(this.#contents()))) return;
    this.#log.warn('somebody changed the rules of table "skiff" in the packet filter; putting them back');
    this.replace();
  }

  #census(): unknown {
    try {
      return censusOf(this.#nft.listJson('list table ip skiff'));
    } catch {
      // There is no such table any more.
      return undefined;
    }
  }
}
