/** Where the time of an operation goes: milliseconds per phase, for the debug log. */
export class Trace {
  readonly #begin = performance.now();
  readonly #steps: (readonly [string, number])[] = [];
  #last = this.#begin;

  /** The phase `name` ends now. */
  step(name: string): void {
    const now = performance.now();
    this.#steps.push([name, now - this.#last]);
    this.#last = now;
  }

  /** Phases and total. */
  summary(): Record<string, string> {
    const phases = this.#steps.map(([name, time]) => `${name}=${time.toFixed(1)}`).join(' ');
    return { phases, total: (this.#last - this.#begin).toFixed(1) };
  }
}
