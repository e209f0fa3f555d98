import { isAbsolute, resolve } from 'node:path';
import { type EngineError, invalid, messageOf } from '#/base/errors.ts';
import { parseBinarySize, parseGoDuration } from '#/base/units.ts';

/**
 * One JSON object of the configuration file, read key by key. Every error names the whole key (`auth.htpasswd.path: …`);
 * `end` refuses the keys that nobody read, so that a misspelt one never counts for nothing.
 */
export class Section {
  /** The key of this object, `` for the file itself. */
  readonly key: string;
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #folder: string;
  readonly #read = new Set<string>();

  /** `folder` is where relative paths begin. Throws `invalid` if `value` is no JSON object. */
  constructor(value: unknown, { key, folder }: { key: string; folder: string }) {
    this.key = key;
    this.#folder = folder;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.#wrong(undefined, `must be an object, not ${shown(value)}`);
    }
    this.#values = new Map(Object.entries(value));
  }

  /** Whether the key is there. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Some text, not empty; undefined if the key is not there. */
  text(name: string): string | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string' || value === '')
      throw this.#wrong(name, `must be text, not ${shown(value)}`);
    return value;
  }

  /** As `text`, but the key must be there. */
  requiredText(name: string): string {
    return this.text(name) ?? this.#missing(name);
  }

  /** A path; relative ones begin at the folder of the configuration file. */
  path(name: string): string | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (text.includes('\0')) throw this.#wrong(name, 'must be a path, and paths have no NUL character');
    return isAbsolute(text) ? text : resolve(this.#folder, text);
  }

  /** As `path`, but the key must be there. */
  requiredPath(name: string): string {
    return this.path(name) ?? this.#missing(name);
  }

  /** A URL of one of the `protocols` (with their colon), without credentials, query and fragment. */
  url(name: string, protocols: readonly string[]): URL | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const url = URL.parse(text);
    const fine =
      url !== null &&
      protocols.includes(url.protocol) &&
      url.hostname !== '' &&
      url.username === '' &&
      url.password === '' &&
      url.search === '' &&
      url.hash === '';
    if (!fine) {
      const kinds = protocols.map((protocol) => `${protocol}//…`).join(' or ');
      throw this.#wrong(
        name,
        `must be a URL (${kinds}) without user, query and fragment, not ${shown(text)}`,
      );
    }
    return url;
  }

  /** On or off. */
  toggle(name: string, fallback: boolean): boolean {
    const value = this.#take(name);
    if (value === undefined) return fallback;
    if (typeof value !== 'boolean') throw this.#wrong(name, `must be true or false, not ${shown(value)}`);
    return value;
  }

  /** A number from `least` to `most`; `whole` ones only, unless said. */
  number(
    name: string,
    {
      least,
      most = Number.MAX_SAFE_INTEGER,
      whole = true,
    }: { least: number; most?: number; whole?: boolean },
  ): number | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    const fine =
      typeof value === 'number' &&
      value >= least &&
      value <= most &&
      (whole ? Number.isSafeInteger(value) : Number.isFinite(value));
    if (!fine) {
      const upper = most === Number.MAX_SAFE_INTEGER ? ` of at least ${least}` : ` from ${least} to ${most}`;
      throw this.#wrong(name, `must be a ${whole ? 'whole ' : ''}number${upper}, not ${shown(value)}`);
    }
    return value;
  }

  /** A time such as `"90s"` or `"1h30m"`, longer than nothing, in milliseconds. */
  duration(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const milliseconds = this.#parse(name, () => parseGoDuration(text) / 1e6);
    // More than 2^31-1 is nothing that a timer can wait for.
    if (milliseconds < 1) throw this.#wrong(name, `must be a time of at least 1ms, not ${shown(text)}`);
    return milliseconds;
  }

  /** A size such as `"10GiB"`, or bytes as a number; in bytes, at least 1. */
  bytes(name: string): number | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    const bytes = typeof value === 'string' ? this.#parse(name, () => parseBinarySize(value)) : value;
    if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes < 1) {
      throw this.#wrong(name, `must be a size such as "512MiB" or a number of bytes, not ${shown(value)}`);
    }
    return bytes;
  }

  /** One of a few words. */
  choice<T extends string>(name: string, words: readonly T[]): T | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    const word = words.find((candidate) => candidate === value);
    if (word === undefined) {
      throw this.#wrong(name, `must be one of ${words.map(shown).join(', ')}, not ${shown(value)}`);
    }
    return word;
  }

  /** A list of texts; undefined if the key is not there. */
  texts(name: string): readonly string[] | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || value.some((member) => typeof member !== 'string' || member === '')) {
      throw this.#wrong(name, `must be a list of texts, not ${shown(value)}`);
    }
    return Object.freeze(value.map(String));
  }

  /** An object below this one. */
  section<T>(name: string, read: (section: Section) => T): T | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    return this.#below(value, this.keyOf(name), read);
  }

  /** A list of objects below this one; their keys are `cache[0]`, `cache[1]` and so on. */
  sections<T>(name: string, read: (section: Section) => T): readonly T[] {
    const value = this.#take(name);
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw this.#wrong(name, `must be a list of objects, not ${shown(value)}`);
    return Object.freeze(
      value.map((member: unknown, index) => this.#below(member, `${this.keyOf(name)}[${index}]`, read)),
    );
  }

  /** An object whose keys are names of the user's choice. */
  named<T>(name: string, read: (value: Section, of: string) => T): ReadonlyMap<string, T> {
    const names = this.section(name, (section) => {
      const all = [...section.#values.keys()];
      return all.map((each): [string, T] => [each, read(section, each)]);
    });
    return new Map(names);
  }

  /** Whether the key's value is exactly this text; then it counts as read. */
  is(name: string, word: string): boolean {
    if (this.#values.get(name) !== word) return false;
    this.#read.add(name);
    return true;
  }

  /** Throws `invalid` for the first key that nobody asked for. */
  end(): void {
    for (const name of this.#values.keys()) {
      if (this.#read.has(name)) continue;
      const known = [...this.#read].sort().join(', ');
      throw this.#wrong(name, `unknown key${known === '' ? '' : `; known here: ${known}`}`);
    }
  }

  /** An `invalid` about a key of this object, to be thrown. */
  refuse(name: string, problem: string): EngineError {
    return this.#wrong(name, problem);
  }

  /** Throws `invalid` about a key of this object. */
  fail(name: string, problem: string): never {
    throw this.#wrong(name, problem);
  }

  /** The whole name of a key of this object. */
  keyOf(name: string): string {
    return this.key === '' ? name : `${this.key}.${name}`;
  }

  #below<T>(value: unknown, key: string, read: (section: Section) => T): T {
    const section = new Section(value, { key, folder: this.#folder });
    const result = read(section);
    section.end();
    return result;
  }

  #take(name: string): unknown {
    this.#read.add(name);
    return this.#values.get(name);
  }

  #parse<T>(name: string, parse: () => T): T {
    try {
      return parse();
    } catch (error) {
      throw this.#wrong(name, messageOf(error));
    }
  }

  #missing(name: string): never {
    throw this.#wrong(name, 'is missing');
  }

  #wrong(name: string | undefined, problem: string): EngineError {
    const key = name === undefined ? this.key : this.keyOf(name);
    return invalid(key === '' ? problem : `${key}: ${problem}`);
  }
}

/** A value as messages show it, not at length. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
