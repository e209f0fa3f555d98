import { endRunLocked } from './exit.ts';
import { isAlive } from './model.ts';
import type { ContainerParts } from './parts.ts';
import { killAndWait } from './stop.ts';

/**
 * Kills all containers that run and notes their ends, as if the machine went down: their restart policies hold, and a
 * later daemon starts those that want it. Nothing may be started meanwhile (`closing` is aborted).
 */
export async function endAllContainers(parts: ContainerParts): Promise<void> {
  await Promise.all(
    parts.store.all().map(async ({ id }) => {
      using _held = await parts.locks.acquire(id);
      const record = parts.store.get(id);
      if (record !== undefined && isAlive(record.state))
        await endRunLocked(parts, record, await killAndWait(parts, record));
    }),
  );
  parts.restarts.close();
}
