import { setTimeout as sleep } from 'node:timers/promises';

/** Waits for a condition; fails after `patience` milliseconds (a minute), saying `what` did not come. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  { what, patience = 60_000 }: { what: string; patience?: number },
): Promise<void> {
  const deadline = performance.now() + patience;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${patience / 1000} s in vain: ${what}`);
    await sleep(20);
  }
}
