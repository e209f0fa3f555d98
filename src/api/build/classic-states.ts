/** States are remembered up to this many, the newest ones. */
const maxStates = 10_000;

/**
 * States that classic builds have come to by instructions which only change a configuration. Nothing is kept of them: the cache
 * does without. Docker's classic builder tells whether it has met such a state before.
 */
export class ClassicStates {
  readonly #met = new Set<string>();

  /** Whether a state was met before; now it was. */
  meet(state: string): boolean {
    const isKnown = this.#met.delete(state);
    this.#met.add(state);
    const [oldest] = this.#met;
    if (this.#met.size > maxStates && oldest !== undefined) this.#met.delete(oldest);
    return isKnown;
  }

  /** Forgets all of them, as the cache was emptied. */
  forget(): void {
    this.#met.clear();
  }
}
