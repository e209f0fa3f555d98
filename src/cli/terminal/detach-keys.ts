/** The keys that leave a container running when no others are configured: ctrl-p, ctrl-q. */
const standardKeys: readonly number[] = [16, 17];

/** The bytes that keys such as `ctrl-p,ctrl-q` or `a,b` send. Throws an Error for what is no key. */
export function parseDetachKeys(text: string): readonly number[] {
  if (text === '') return standardKeys;
  return text.split(',').map((key) => {
    if (Buffer.byteLength(key) === 1) return key.charCodeAt(0);
    const letter = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1];
    if (letter === undefined) throw new Error(`Unknown character: '${key}'`);
    return letter.toUpperCase().charCodeAt(0) - 64;
  });
}

/** Watches what is typed for the detach keys. Keys that may be the start of them are held back until that is clear. */
export class DetachFilter {
  readonly #keys: readonly number[];
  #matched = 0;

  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  /** What to send on, and whether the keys are complete; nothing after them counts. */
  push(chunk: Uint8Array): { readonly data: Uint8Array; readonly detached: boolean } {
    const out: number[] = [];
    for (const byte of chunk) {
      if (byte !== this.#keys[this.#matched] && this.#matched > 0) {
        out.push(...this.#keys.slice(0, this.#matched));
        this.#matched = 0;
      }
      if (byte !== this.#keys[this.#matched]) out.push(byte);
      else {
        this.#matched += 1;
        if (this.#matched === this.#keys.length) return { data: Uint8Array.from(out), detached: true };
      }
    }
    return { data: Uint8Array.from(out), detached: false };
  }
}
