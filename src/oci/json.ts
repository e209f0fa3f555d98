import { invalid, tooLarge } from '#/base/errors.ts';

/** What a JSON document from outside may be. */
export interface JsonBounds {
  /** What is being read, for messages: `manifest`, `image config`. */
  readonly what: string;
  /** Bytes. */
  readonly maxBytes: number;
}

/** Deeper than any document of the OCI or Docker formats. */
const maxDepth = 32;

/**
 * Parses bytes from outside once, within bounds: size, valid UTF-8, depth of nesting. The result is still untyped; take
 * it apart with a `Field`.
 */
export function parseJson(bytes: Uint8Array, { what, maxBytes }: JsonBounds): Field {
  if (bytes.length > maxBytes) {
    throw tooLarge(`${what} has ${bytes.length} bytes, more than the ${maxBytes} that are allowed`);
  }
  if (depthOf(bytes) > maxDepth) throw invalid(`${what} is nested more than ${maxDepth} levels deep`);
  try {
    return new Field(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)), what);
  } catch (error) {
    throw invalid(
      `${what} is not valid JSON: ${error instanceof Error ? error.message : String(error)}`,
      error,
    );
  }
}

/**
 * One value inside an untrusted document, with the path to it for messages. Absent and `null` are the same, as in Go;
 * a value of a wrong type is an error and never coerced.
 */
export class Field {
  readonly #value: unknown;
  readonly #path: string;

  constructor(value: unknown, path: string) {
    this.#value = value;
    this.#path = path;
  }

  get isPresent(): boolean {
    return this.#value !== undefined && this.#value !== null;
  }

  /** The member `name` of this object. */
  get(name: string): Field {
    const object = this.#object();
    return new Field(Object.hasOwn(object, name) ? object[name] : undefined, `${this.#path}.${name}`);
  }

  /** Tells whether this object has a member `name`, be it null. */
  has(name: string): boolean {
    return Object.hasOwn(this.#object(), name);
  }

  string(): string {
    if (typeof this.#value !== 'string') throw this.#mismatch('a string');
    return this.#value;
  }

  /** A whole number of at least 0 that JavaScript holds exactly. */
  count(): number {
    if (typeof this.#value !== 'number' || !Number.isSafeInteger(this.#value) || this.#value < 0) {
      throw this.#mismatch('a whole number of at least 0');
    }
    return this.#value;
  }

  integer(): number {
    if (typeof this.#value !== 'number' || !Number.isSafeInteger(this.#value)) {
      throw this.#mismatch('a whole number');
    }
    return this.#value;
  }

  boolean(): boolean {
    if (typeof this.#value !== 'boolean') throw this.#mismatch('true or false');
    return this.#value;
  }

  /** The elements of an array of at most `max`, each read by `read`. */
  list<T>(max: number, read: (element: Field) => T): T[] {
    if (!Array.isArray(this.#value)) throw this.#mismatch('an array');
    if (this.#value.length > max) {
      throw invalid(
        `${this.#path} has ${this.#value.length} elements, more than the ${max} that are allowed`,
      );
    }
    return this.#value.map((element: unknown, index) => read(new Field(element, `${this.#path}[${index}]`)));
  }

  /** The members of an object of at most `max`, each read by `read`. */
  record<T>(max: number, read: (member: Field) => T): Record<string, T> {
    const entries = Object.entries(this.#object());
    if (entries.length > max) {
      throw invalid(`${this.#path} has ${entries.length} members, more than the ${max} that are allowed`);
    }
    return Object.fromEntries(
      entries.map(([name, value]) => [name, read(new Field(value, `${this.#path}.${name}`))]),
    );
  }

  /** What `read` makes of a value that is there; undefined for an absent one. */
  optional<T>(read: (field: Field) => T): T | undefined {
    return this.isPresent ? read(this) : undefined;
  }

  /** An error about this value. */
  error(problem: string): Error {
    return invalid(`${this.#path}: ${problem}`);
  }

  #object(): Record<string, unknown> {
    if (typeof this.#value !== 'object' || this.#value === null || Array.isArray(this.#value)) {
      throw this.#mismatch('an object');
    }
    return this.#value as Record<string, unknown>;
  }

  #mismatch(expected: string): Error {
    const value = JSON.stringify(this.#value) ?? 'nothing';
    return this.error(`expected ${expected}, got ${value.length > 60 ? `${value.slice(0, 60)}…` : value}`);
  }
}

/** Most levels of brackets outside strings; bytes of multi-byte characters are never brackets or quotes. */
function depthOf(bytes: Uint8Array): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (inString) {
      if (byte === 0x5c) at += 1;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if (byte === 0x7d || byte === 0x5d) depth -= 1;
  }
  return deepest;
}
