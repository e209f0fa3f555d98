import type { DirectExec } from '#/runtime/direct-exec.ts';
import type { ProcessRef } from '#/runtime/exit-watcher.ts';

/** How long one waits for its start: clients that start what they create do so at once. Milliseconds. */
const patience = 2000;
/** Each is a process, and clients can create execs that they never start. */
const maxReady = 16;

interface Ready {
  readonly direct: DirectExec;
  /** The container's first process when it was made: in a later run it would join what is gone. */
  readonly init: ProcessRef;
  readonly timer: NodeJS.Timeout;
}

/** Runtimes that were started when an exec was created, so that its start finds them waiting. By the exec's id. */
export class ReadyExecs {
  readonly #ready = new Map<string, Ready>();

  /** Keeps one for a while; `make` is not called when there are enough of them. */
  add(id: string, init: ProcessRef, make: () => DirectExec): void {
    if (this.#ready.size >= maxReady || this.#ready.has(id)) return;
    const timer = setTimeout(() => this.drop(id), patience).unref();
    this.#ready.set(id, { direct: make(), init, timer });
  }

  /** The one of an exec, if it is there and was made for this run of the container. */
  take(id: string, init: ProcessRef): DirectExec | undefined {
    const ready = this.#ready.get(id);
    if (ready === undefined) return undefined;
    this.#forget(id, ready);
    const same = ready.init.pid === init.pid && ready.init.startTime === init.startTime;
    if (same && ready.direct.waits) return ready.direct;
    ready.direct[Symbol.dispose]();
    return undefined;
  }

  /** Ends the one of an exec, if there is one. */
  drop(id: string): void {
    const ready = this.#ready.get(id);
    if (ready === undefined) return;
    this.#forget(id, ready);
    ready.direct[Symbol.dispose]();
  }

  #forget(id: string, { timer }: Ready): void {
    clearTimeout(timer);
    this.#ready.delete(id);
  }
}
