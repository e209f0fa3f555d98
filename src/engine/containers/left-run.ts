import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { processesIn } from '#/kernel/proc.ts';
import type { ContainerParts } from './parts.ts';

/** How long a monitor that lost its daemon may take to create its container, and to end after that. Milliseconds. */
const patience = 10_000;
const pause = 20;

/**
 * Ends what an earlier daemon left of a start when it died: a monitor goes on to create its container without it, so
 * this waits until that is done, kills the container, and waits for the monitor. Fine if there is nothing of all this.
 */
export async function endLeftRun(parts: ContainerParts, id: string): Promise<void> {
  const folder = parts.dirs.runOf(id);
  const deadline = performance.now() + patience;
  const monitors = (): readonly number[] => (existsSync(folder) ? processesIn(folder) : []);
  for (let left = monitors(); left.length > 0; left = monitors()) {
    // The runtime writes it last. To delete sooner could leave a part of the container.
    if (existsSync(join(folder, 'pidfile'))) await deleteContainer(parts, id);
    if (performance.now() > deadline) {
      parts.log.warn('killing what is left of a start that was cut off', { id, pids: left });
      for (const pid of left) process.kill(pid, 'SIGKILL');
    }
    await sleep(pause);
  }
  await deleteContainer(parts, id);
}

async function deleteContainer(parts: ContainerParts, id: string): Promise<void> {
  for (const { oci } of parts.runtimes.values()) await oci.delete(id);
}
