import { setImmediate as turn } from 'node:timers/promises';

/** How long synchronous work may keep the event loop from everything else, in milliseconds. */
const slice = 8;

/**
 * Lets long work that is made of short synchronous steps share its thread: call `turn` between the steps. It waits for
 * one turn of the event loop when the time slice is used up, otherwise it costs next to nothing.
 */
export class Pacer {
  #since = performance.now();

  /** Tells whether it is time to `turn`; for loops that are too tight to await each time. */
  get due(): boolean {
    return performance.now() - this.#since > slice;
  }

  async turn(): Promise<void> {
    if (!this.due) return;
    await turn();
    this.#since = performance.now();
  }
}
