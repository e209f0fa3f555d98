/** How long the past is that a rate is taken from. Milliseconds. */
const span = 5000;
/** Before that much time has passed there is no rate. Milliseconds. */
const minimum = 250;

interface Sample {
  readonly at: number;
  readonly amount: number;
}

/** How fast an amount has grown lately. Times are milliseconds of any clock that does not go back. */
export class RateMeter {
  #samples: Sample[] = [];

  /** The amount at a time; a smaller one than before starts again. */
  add(amount: number, at: number): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && amount < last.amount) this.#samples = [];
    this.#samples.push({ at, amount });
    // One sample from before the span stays, to measure from.
    while ((this.#samples[1]?.at ?? at) < at - span) this.#samples.shift();
  }

  /** Units per second; `undefined` as long as there is nothing to tell. Falls when nothing is added. */
  rate(now: number): number | undefined {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || now - first.at < minimum) return undefined;
    return ((last.amount - first.amount) * 1000) / (now - first.at);
  }
}
