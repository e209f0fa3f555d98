import type { NetworkSettings } from './settings.ts';
import type { NetworkStore } from './store.ts';
import { bootId, isForwarding } from './sysctl.ts';

/** What to do so that containers' packets leave the host. */
export interface ForwardingPlan {
  /** Forwarding is off and is to be switched on. */
  readonly start: boolean;
  /** Only Skiff's own traffic may be forwarded. */
  readonly guard: boolean;
}

/**
 * A host that forwards packets is a router for every neighbour that sends it some. If it is one only because Skiff made
 * it one, Skiff drops what is not its own traffic; if somebody else made it a router before, for reasons of their own,
 * their traffic is left alone. Which of the two it was is kept for this boot of the machine.
 */
export function planForwarding(store: NetworkStore, settings: NetworkSettings): ForwardingPlan {
  if (!settings.forwarding) return { start: false, guard: false };
  const boot = bootId();
  const start = !isForwarding();
  if (start) store.setForwardingBoot(boot);
  return { start, guard: settings.forwardingGuard && store.forwardingBoot() === boot };
}
