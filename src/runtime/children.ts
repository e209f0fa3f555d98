import { reap } from '#/kernel/spawn.ts';

/** What a child left: its exit code (128 + signal), undefined if somebody else took note of it. */
type OnExit = (code: number | undefined) => void;

/** The programs that this daemon has started: takes note of their ends, so that no zombies stay. */
export class Children implements Disposable {
  readonly #pids = new Map<number, OnExit>();
  readonly #onSignal = (): void => {
    for (const [pid, onExit] of this.#pids) this.#check(pid, onExit);
  };

  constructor() {
    process.on('SIGCHLD', this.#onSignal);
  }

  /** Looks after the process from now on. `onExit` is called once, never before this returns. */
  add(pid: number, onExit: OnExit = () => {}): void {
    this.#pids.set(pid, onExit);
    // Its signal may have come before this.
    setImmediate(() => {
      if (this.#pids.get(pid) === onExit) this.#check(pid, onExit);
    });
  }

  /** Ends a process that nobody needs. Until it is reaped, which happens here only, its number is its own. */
  kill(pid: number): void {
    if (this.#pids.has(pid)) process.kill(pid, 'SIGKILL');
  }

  #check(pid: number, onExit: OnExit): void {
    const end = reap(pid);
    if (end === 'running') return;
    this.#pids.delete(pid);
    onExit(end.code);
  }

  /** What still runs becomes a child of init, which reaps it. */
  [Symbol.dispose](): void {
    process.off('SIGCHLD', this.#onSignal);
  }
}
