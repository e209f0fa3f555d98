import { reap } from '#/kernel/spawn.ts';

/** The monitors that this daemon has started: takes note of their ends, so that no zombies stay. */
export class Children implements Disposable {
  readonly #pids = new Set<number>();
  readonly #onSignal = (): void => {
    for (const pid of this.#pids) if (reap(pid)) this.#pids.delete(pid);
  };

  constructor() {
    process.on('SIGCHLD', this.#onSignal);
  }

  /** Looks after the process from now on. */
  add(pid: number): void {
    if (!reap(pid)) this.#pids.add(pid);
  }

  /** Ends a process that nobody needs. Until it is reaped, which happens here only, its number is its own. */
  kill(pid: number): void {
    if (this.#pids.has(pid)) process.kill(pid, 'SIGKILL');
  }

  /** What still runs becomes a child of init, which reaps it. */
  [Symbol.dispose](): void {
    process.off('SIGCHLD', this.#onSignal);
  }
}
