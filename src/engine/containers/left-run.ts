import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { internal } from '#/base/errors.ts';
import { signalProcess } from '#/kernel/pidfd.ts';
import { type FoundProcess, processesIn } from '#/kernel/proc.ts';
import type { ContainerParts } from './parts.ts';

/** How long a monitor that lost its daemon may take to create its container, and to end after that. Milliseconds. */
const patience = 10_000;
/** How long it may take to be gone after SIGKILL. Milliseconds. */
const killPatience = 5000;
const pause = 20;

/**
 * Ends what an earlier daemon left of a start when it died: a monitor goes on to create its container without it, so
 * this waits until that is done, kills the container, and waits for the monitor. Fine if there is nothing of all this.
 * Throws if the monitor cannot be killed.
 */
export async function endLeftRun(parts: ContainerParts, id: string): Promise<void> {
  const folder = parts.dirs.runOf(id);
  let killed = false;
  const deadline = performance.now() + patience;
  // A person's shell can be in the folder too.
  const monitors = (): readonly FoundProcess[] =>
    existsSync(folder) ? processesIn(folder).filter(({ program }) => program === 'conmon') : [];
  for (let left = monitors(); left.length > 0; left = monitors()) {
    // The runtime writes it last. To delete sooner could leave a part of the container.
    if (existsSync(join(folder, 'pidfile'))) await deleteContainer(parts, id);
    if (performance.now() > deadline) {
      if (performance.now() > deadline + killPatience) {
        const pids = left.map(({ pid }) => pid).join(', ');
        throw internal(
          `the monitor of container ${id} did not end within ${killPatience / 1000} s of SIGKILL: ${pids}`,
        );
      }
      if (!killed) parts.log.warn('killing what is left of a start that was cut off', { id, left });
      killed = true;
      for (const monitor of left) signalProcess(monitor, 9);
    }
    await sleep(pause);
  }
  await deleteContainer(parts, id);
}

async function deleteContainer(parts: ContainerParts, id: string): Promise<void> {
  for (const { oci } of parts.runtimes.values()) await oci.delete(id);
}
