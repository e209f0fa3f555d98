/**
 * Keeps things from being collected between the moment they exist and the moment a row refers to them. Holds live in
 * memory: what a dead daemon held is collected at the next start.
 */
export class Holds<T> {
  readonly #open = new Set<Hold<T>>();

  /** `using hold = holds.open()`: everything added to it is kept until it is disposed of. */
  open(): Hold<T> {
    const hold = new Hold<T>((done) => this.#open.delete(done));
    this.#open.add(hold);
    return hold;
  }

  /** Tells whether some open hold contains `thing`. */
  has(thing: T): boolean {
    for (const hold of this.#open) if (hold.has(thing)) return true;
    return false;
  }
}

/** A set of things that somebody is working with. */
export class Hold<T> implements Disposable {
  readonly #things = new Set<T>();
  readonly #close: (hold: Hold<T>) => void;

  /** See `Holds.open`. */
  constructor(close: (hold: Hold<T>) => void) {
    this.#close = close;
  }

  add(thing: T): void {
    this.#things.add(thing);
  }

  has(thing: T): boolean {
    return this.#things.has(thing);
  }

  [Symbol.dispose](): void {
    this.#close(this);
  }
}
