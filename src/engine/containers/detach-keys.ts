/** What leaves a terminal unless something else is configured: ctrl-p ctrl-q. */
const defaultKeys: Buffer = Buffer.of(16, 17);

/** Looks for the detach keys in what is typed. The beginning of the sequence is held back until it is clear what it is. */
export class DetachKeys {
  readonly #keys: Buffer;
  #matched = 0;

  constructor(keys: Buffer | undefined) {
    this.#keys = keys === undefined || keys.length === 0 ? defaultKeys : keys;
  }

  /** What to pass on of `data`, and whether the whole sequence was typed. What comes behind it is dropped. */
  pass(data: Uint8Array): { data: Uint8Array; detached: boolean } {
    const passed: number[] = [];
    for (const byte of data) {
      if (byte === this.#keys[this.#matched]) {
        this.#matched += 1;
        if (this.#matched === this.#keys.length) return { data: Uint8Array.from(passed), detached: true };
        continue;
      }
      // What was held back was no beginning; the byte itself may be one.
      passed.push(...this.#keys.subarray(0, this.#matched));
      this.#matched = byte === this.#keys[0] ? 1 : 0;
      if (this.#matched === 0) passed.push(byte);
      else if (this.#keys.length === 1) return { data: Uint8Array.from(passed), detached: true };
    }
    return { data: Uint8Array.from(passed), detached: false };
  }
}
