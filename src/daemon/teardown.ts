import { notImplemented } from '#/base/errors.ts';
import type { EngineInput } from './engine.ts';

/**
 * Takes down what a daemon that no longer runs has left in the kernel: processes, mounts, links, rules, cgroups. Images,
 * volumes and containers' files stay.
 */
export function tearDown(_input: EngineInput): Promise<void> {
  return Promise.reject(notImplemented('tearing down is not implemented'));
}
