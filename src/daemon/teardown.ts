import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { internal, isSystemError } from '#/base/errors.ts';
import type { Logger } from '#/base/log.ts';
import { type CgroupLayout, detectCgroups, unmountLeftoverControllers } from '#/kernel/cgroup/layout.ts';
import { removeCgroup } from '#/kernel/cgroup/processes.ts';
import { unmount } from '#/kernel/mount.ts';
import { readMountInfo } from '#/kernel/mountinfo.ts';
import { cgroupParentOf, type EngineInput, openEngine } from './engine.ts';
import { kernelStateIn } from './foundation.ts';

/**
 * Takes down what a daemon that no longer runs has left in the kernel: processes, mounts, links, rules, cgroups. Images,
 * volumes and containers' files stay. The caller has claimed the directories.
 */
export async function tearDown(input: EngineInput): Promise<void> {
  const { config, log } = input;
  if (existsSync(join(config.dataRoot, 'state.db'))) {
    await using engine = await openEngine(input);
    await engine.tearDown();
  }
  removeParent(detectCgroups(), cgroupParentOf(config), log);
  unmountLeftoverControllers();
  for (const path of kernelStateIn(config)) removeWithMounts(path);
}

function removeParent(layout: CgroupLayout, parent: string, log: Logger): void {
  try {
    removeCgroup(layout, join('/', parent));
  } catch (error) {
    if (!isSystemError(error, 'EBUSY')) throw error;
    log.warn('the control group of the containers is still in use', { cgroup: parent });
  }
}

/** Unmounts whatever is below `path` before it removes a single file: nothing that is mounted there is ours to delete. */
function removeWithMounts(path: string): void {
  const below = (): string[] =>
    readMountInfo()
      .map(({ mountPoint }) => mountPoint)
      .filter((mountPoint) => mountPoint.startsWith(`${path}/`));
  for (const mountPoint of below().toReversed()) unmount(mountPoint, { detach: true });
  const left = below();
  if (left.length > 0) throw internal(`cannot remove ${path}: something is mounted on ${left.join(', ')}`);
  rmSync(path, { recursive: true, force: true });
}
