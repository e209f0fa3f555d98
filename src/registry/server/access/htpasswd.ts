import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { invalid, messageOf } from '#/base/errors.ts';
import type { Logger } from '#/base/log.ts';
import type { BcryptThread } from './bcrypt.ts';

/** What passwords of unknown users are compared with, so that a wrong name takes as long as a wrong password. */
const nobodysSalt = 'AAAAAAAAAAAAAAAAAAAAAA';
const nobodysHash = 'A'.repeat(31);
const defaultCost = 10;
/** The highest cost that is taken: each step more doubles the time, and this is a second. */
const maxCost = 14;
/** Milliseconds between looks at the file. */
const lookInterval = 1000;
const maxRemembered = 10_000;

/** Users and their bcrypt hashes. */
export type Users = ReadonlyMap<string, string>;

/** What `Htpasswd` needs beside the file. */
export interface HtpasswdInput {
  readonly path: string;
  /** Milliseconds for which a password that was right need not be checked again. */
  readonly remember: number;
  readonly bcrypt: Pick<BcryptThread, 'compare'>;
  readonly log: Logger;
  /** Milliseconds that never go back. */
  readonly now?: () => number;
}

/**
 * The users of an Apache htpasswd file with bcrypt hashes (`htpasswd -B`). The file is read again when it has changed; a
 * file that has become wrong changes nothing but is complained about in the log. Passwords that were right are remembered
 * as keyed hashes for a while, since clients send them with each request.
 */
export class Htpasswd {
  readonly #input: HtpasswdInput;
  readonly #now: () => number;
  readonly #key = randomBytes(32);
  /** When what was remembered is forgotten, by keyed hash; oldest first. */
  readonly #remembered = new Map<string, number>();
  readonly #checking = new Map<string, Promise<boolean>>();
  #users: Users;
  #stamp: string;
  #looked: number;

  /** Throws `invalid` if the file cannot be read or understood. */
  constructor(input: HtpasswdInput) {
    this.#input = input;
    this.#now = input.now ?? (() => performance.now());
    this.#stamp = stampOf(input.path);
    this.#users = read(input.path);
    this.#looked = this.#now();
  }

  /** Whether there is such a user with such a password. Takes as long for unknown users. */
  async check(username: string, password: string): Promise<boolean> {
    this.#look();
    const hash = this.#users.get(username);
    const key = this.#keyOf(username, password, hash ?? '');
    const expires = this.#remembered.get(key);
    if (expires !== undefined && expires > this.#now()) return true;
    // Docker opens several connections at once, all with the same password.
    const running = this.#checking.get(key) ?? this.#compare({ key, password, hash });
    this.#checking.set(key, running);
    try {
      return await running;
    } finally {
      this.#checking.delete(key);
    }
  }

  /** Reads the file again. Throws `invalid` and leaves everything as it was if that fails. */
  reload(): void {
    const stamp = stampOf(this.#input.path);
    this.#users = read(this.#input.path);
    this.#stamp = stamp;
  }

  async #compare({ key, password, hash }: Comparison): Promise<boolean> {
    const matches = await this.#input.bcrypt.compare(password, hash ?? this.#decoy());
    if (!matches || hash === undefined) return false;
    this.#remembered.delete(key);
    this.#remembered.set(key, this.#now() + this.#input.remember);
    const oldest = this.#remembered.keys().next().value;
    if (this.#remembered.size > maxRemembered && oldest !== undefined) this.#remembered.delete(oldest);
    return true;
  }

  /** A hash that no password has, as costly as those of the file. */
  #decoy(): string {
    const first = this.#users.values().next().value;
    const cost = first === undefined ? defaultCost : Number(first.slice(4, 6));
    return `$2b$${String(cost).padStart(2, '0')}$${nobodysSalt}${nobodysHash}`;
  }

  #keyOf(username: string, password: string, hash: string): string {
    return createHmac('sha256', this.#key)
      .update(JSON.stringify([username, password, hash]))
      .digest('base64');
  }

  #look(): void {
    const now = this.#now();
    if (now - this.#looked < lookInterval) return;
    this.#looked = now;
    try {
      if (stampOf(this.#input.path) !== this.#stamp) this.reload();
    } catch (error) {
      this.#input.log.error('the users stay as they were', { problem: messageOf(error) });
    }
  }
}

interface Comparison {
  readonly key: string;
  readonly password: string;
  readonly hash: string | undefined;
}

function read(path: string): Users {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw invalid(`auth.htpasswd.path: cannot read the users: ${messageOf(error)}`, error);
  }
  try {
    return parseHtpasswd(text);
  } catch (error) {
    throw invalid(`auth.htpasswd.path: ${JSON.stringify(path)}, ${messageOf(error)}`, error);
  }
}

/** The users in an htpasswd file. Throws `invalid` with the number of the line; hashes are not quoted. */
export function parseHtpasswd(text: string): Users {
  const users = new Map<string, string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const where = `line ${index + 1}`;
    const colon = line.indexOf(':');
    if (colon <= 0) throw invalid(`${where}: is not of the form user:hash`);
    const user = line.slice(0, colon);
    if (users.has(user)) throw invalid(`${where}: the user ${JSON.stringify(user)} is there already`);
    const [, cost] = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(line.slice(colon + 1).trim()) ?? [];
    if (cost === undefined) {
      throw invalid(
        `${where}: the hash of ${JSON.stringify(user)} is not bcrypt's; make it with "htpasswd -B"`,
      );
    }
    if (Number(cost) < 4 || Number(cost) > maxCost) {
      throw invalid(
        `${where}: the cost of ${JSON.stringify(user)}'s hash is ${Number(cost)}; from 4 to ${maxCost} are taken`,
      );
    }
    users.set(user, line.slice(colon + 1).trim());
  }
  return users;
}

/** Changes when the file does. */
function stampOf(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}`;
}
