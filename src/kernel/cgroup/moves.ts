import { existsSync, readFileSync, writeFile } from 'node:fs';
import { join } from 'node:path';
import type { CgroupLayout } from './layout.ts';

/**
 * The kernel lets nobody fork or end while a process changes its cgroup. Unless the cgroups are mounted with favordynmods,
 * the first of several such changes first waits for an RCU grace period (percpu_down_write in cgroup.procs: some 10 ms),
 * those that follow soon do not. So who knows that a runtime is about to put a process into a cgroup says so here: the
 * wait then passes beside everything that the runtime does before.
 */
export class CgroupMoves {
  readonly #file: string | undefined;
  readonly #onError: (error: Error) => void;
  #expecting = false;

  /** `onError` is told why the wait could not be begun: nothing but time is lost. */
  constructor(layout: CgroupLayout, onError: (error: Error) => void) {
    this.#file = ownGroup(layout);
    this.#onError = onError;
  }

  /** Begins the wait, if it is not on already. Returns at once. */
  expect(): void {
    if (this.#file === undefined || this.#expecting) return;
    this.#expecting = true;
    // "0" stands for the writer: this process moves to where it is, which takes the lock and changes nothing.
    writeFile(this.#file, '0', { flag: 'r+' }, (error) => {
      this.#expecting = false;
      if (error !== null) this.#onError(error);
    });
  }
}

/** The list of processes of this process's group, in one hierarchy; undefined where a namespace hides it. */
function ownGroup({ v1, v2 }: CgroupLayout): string | undefined {
  for (const line of readFileSync('/proc/self/cgroup', 'utf8').split('\n')) {
    const [, id, controllers = '', path = ''] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
    const root = id === '0' ? v2 : v1.get(controllers.split(',')[0] ?? '');
    const file = root === undefined ? undefined : join(root, path, 'cgroup.procs');
    if (file !== undefined && existsSync(file)) return file;
  }
  return undefined;
}
