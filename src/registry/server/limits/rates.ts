/** How often something may happen. */
export interface Rate {
  readonly perSecond: number;
  /** How many at once after a pause. */
  readonly burst: number;
}

/** Keys that are remembered; beyond them those go that would soonest have their full burst again. */
const maxKeys = 50_000;

interface Bucket {
  /** What was left at `at`. */
  left: number;
  /** Milliseconds. */
  at: number;
}

/** A token bucket for each key: `burst` at once, refilled at `perSecond`. A full bucket costs no memory for long. */
export class Rates {
  readonly #rate: Rate;
  readonly #now: () => number;
  /** In the order of last use. */
  readonly #buckets = new Map<string, Bucket>();

  /** `now` is in milliseconds and never goes back. */
  constructor(rate: Rate, now: () => number = () => performance.now()) {
    this.#rate = rate;
    this.#now = now;
  }

  /** Keys that are remembered now. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one for `key`. Returns 0 if there was one, else the seconds until there will be. */
  take(key: string): number {
    const { left, at } = this.#refilled(key);
    const wait = this.#waitFor(left);
    const bucket = { left: wait === 0 ? left - 1 : left, at };
    // The last used stand last.
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    this.#forget(at);
    return wait;
  }

  /** As `take`, but takes nothing. */
  wait(key: string): number {
    return this.#waitFor(this.#refilled(key).left);
  }

  #waitFor(left: number): number {
    // Sums of fractions miss whole numbers by a little.
    return left >= 1 - 1e-9 ? 0 : (1 - left) / this.#rate.perSecond;
  }

  #refilled(key: string): Bucket {
    const now = this.#now();
    const { perSecond, burst } = this.#rate;
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return { left: burst, at: now };
    return { left: Math.min(burst, bucket.left + ((now - bucket.at) / 1000) * perSecond), at: now };
  }

  /** Those that were not used for long enough are full again, as unknown ones are. */
  #forget(now: number): void {
    const { perSecond, burst } = this.#rate;
    const full = (burst / perSecond) * 1000;
    for (const [key, { at }] of this.#buckets) {
      if (now - at < full && this.#buckets.size <= maxKeys) return;
      this.#buckets.delete(key);
    }
  }
}
