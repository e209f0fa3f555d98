import { isIP } from 'node:net';
import { invalid, messageOf } from '#/base/errors.ts';
import { parseBinarySize } from '#/base/units.ts';

/** A kind of option value: how it is read from the command line and from daemon.json. */
export interface ValueKind<T> {
  /** For help and messages; "" for switches, which take no value. */
  readonly name: string;
  /** Adds one use of the flag to what earlier ones gave. Throws `invalid`. */
  fromFlag(text: string, before: T | undefined): T;
  /** Throws a TypeError if the JSON value has the wrong type, `invalid` if it makes no sense. */
  fromJson(value: unknown): T;
  /** As messages and help show it. */
  show(value: T): string;
}

/** A kind of value that one text is. */
export function scalar<T>(
  name: string,
  parts: { parse: (text: string) => T; json: 'string' | 'number'; show?: (value: T) => string },
): ValueKind<T> {
  return {
    name,
    fromFlag: (text) => parts.parse(text),
    fromJson: (value) => {
      if (typeof value !== parts.json) throw new TypeError(parts.json);
      return parts.parse(String(value));
    },
    show: parts.show ?? String,
  };
}

/** Any text. */
export const text: ValueKind<string> = scalar('string', { parse: (value) => value, json: 'string' });

/** One of a few words. `what` names the thing in the message. */
export function oneOf<T extends string>(what: string, words: readonly T[]): ValueKind<T> {
  return scalar('string', {
    parse: (value) => {
      const word = words.find((candidate) => candidate === value);
      if (word === undefined) throw invalid(`invalid ${what}: ${value}; it is one of ${words.join(', ')}`);
      return word;
    },
    json: 'string',
  });
}

/** A whole number. */
export const int: ValueKind<number> = scalar('int', {
  parse: (value) => {
    if (!/^-?\d{1,15}$/.test(value)) throw invalid(`${JSON.stringify(value)} is not a whole number`);
    return Number(value);
  },
  json: 'number',
});

/** A size like `64m`, in bytes. daemon.json has it as text too. */
export const bytes: ValueKind<number> = {
  name: 'bytes',
  fromFlag: parseBinarySize,
  fromJson: (value) => {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
    if (typeof value !== 'string') throw new TypeError('string');
    return parseBinarySize(value);
  },
  show: String,
};

/** An IP address. */
export const ip: ValueKind<string> = scalar('ip', {
  parse: (value) => {
    if (isIP(value) === 0) throw invalid(`invalid IP address: ${value}`);
    return value;
  },
  json: 'string',
});

/** On or off. The bare flag is on. */
export const toggle: ValueKind<boolean> = {
  name: '',
  fromFlag: (value) => {
    if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
    if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
    throw invalid(`${JSON.stringify(value)} is neither true nor false`);
  },
  fromJson: (value) => {
    if (typeof value !== 'boolean') throw new TypeError('bool');
    return value;
  },
  show: String,
};

/** A flag that may come several times; a list in daemon.json. */
export function listOf<T>(item: ValueKind<T>): ValueKind<readonly T[]> {
  return {
    name: 'list',
    fromFlag: (value, before = []) => [...before, item.fromFlag(value, undefined)],
    fromJson: (value) => {
      if (!Array.isArray(value)) throw new TypeError(`list of ${item.name}s`);
      return value.map((member: unknown) => item.fromJson(member));
    },
    show: (value) => `[${value.map((member) => item.show(member)).join(' ')}]`,
  };
}

/** `key=value`, several times; an object in daemon.json. */
export const map: ValueKind<Readonly<Record<string, string>>> = {
  name: 'map',
  fromFlag: (value, before = {}) => {
    const at = value.indexOf('=');
    if (at <= 0) throw invalid(`${JSON.stringify(value)} is not of the form key=value`);
    return { ...before, [value.slice(0, at)]: value.slice(at + 1) };
  },
  fromJson: (value) => {
    const entries = entriesOf(value, 'object with strings');
    for (const [, member] of entries)
      if (typeof member !== 'string') throw new TypeError('object with strings');
    return Object.fromEntries(entries) as Record<string, string>;
  },
  show: (value) =>
    `map[${Object.entries(value)
      .map(([key, member]) => `${key}:${member}`)
      .join(' ')}]`,
};

/** `key=value` texts, as Docker's labels are. */
export const label: ValueKind<string> = scalar('string', {
  parse: (value) => {
    if (!/^[^=]+=/.test(value)) throw invalid(`bad attribute format: ${value}; a label is key=value`);
    return value;
  },
  json: 'string',
});

/** OCI runtimes that containers can choose: name to path. `name=/path` on the command line. */
export const runtimes: ValueKind<Readonly<Record<string, string>>> = {
  name: 'runtime',
  fromFlag: (value, before) => map.fromFlag(value, before),
  fromJson: (value) =>
    Object.fromEntries(
      entriesOf(value, 'object of runtimes').map(([name, runtime]): [string, string] => {
        const path = Object.fromEntries(entriesOf(runtime, 'object with a path'))['path'];
        if (typeof path !== 'string' || path === '') throw new TypeError('object with a path');
        return [name, path];
      }),
    ),
  show: (value) => map.show(value),
};

/** Default limits of containers' processes. */
export interface UlimitDefault {
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

/** `name=soft[:hard]`; daemon.json has them by name, with Name, Soft and Hard. */
export const ulimits: ValueKind<readonly UlimitDefault[]> = {
  name: 'ulimit',
  fromFlag: (value, before = []) => {
    const match = /^([a-z]+)=(-?\d{1,15})(?::(-?\d{1,15}))?$/.exec(value);
    if (match === null) throw invalid(`invalid ulimit argument: ${value}`);
    const [, name = '', soft = '', hard = soft] = match;
    return [
      ...before.filter((other) => other.name !== name),
      { name, soft: Number(soft), hard: Number(hard) },
    ];
  },
  fromJson: (value) =>
    entriesOf(value, 'object of ulimits').map(([name, limit]) => {
      const { Soft: soft, Hard: hard } = Object.fromEntries(entriesOf(limit, 'ulimit with Soft and Hard'));
      if (typeof soft !== 'number' || typeof hard !== 'number')
        throw new TypeError('ulimit with Soft and Hard');
      return { name, soft, hard };
    }),
  show: (value) => `[${value.map(({ name, soft, hard }) => `${name}=${soft}:${hard}`).join(' ')}]`,
};

/** A range of addresses that networks get their subnets from. */
export interface AddressPool {
  /** CIDR. */
  readonly base: string;
  /** Prefix length of each subnet. */
  readonly size: number;
}

/** `base=10.0.0.0/16,size=24`. */
export const addressPools: ValueKind<readonly AddressPool[]> = {
  name: 'pool-options',
  fromFlag: (value, before = []) => {
    const match = /^base=([^,]+),size=(\d{1,2})$/.exec(value);
    if (match === null) throw invalid(`invalid address pool: ${value}; it is base=CIDR,size=PREFIX`);
    return [...before, { base: match[1] ?? '', size: Number(match[2]) }];
  },
  fromJson: (value) => {
    if (!Array.isArray(value)) throw new TypeError('list of pools');
    return value.map((pool: unknown) => {
      const { base, size } = Object.fromEntries(entriesOf(pool, 'pool with base and size'));
      if (typeof base !== 'string' || typeof size !== 'number')
        throw new TypeError('pool with base and size');
      return { base, size };
    });
  },
  show: (value) => `[${value.map(({ base, size }) => `base=${base},size=${size}`).join(' ')}]`,
};

/** The members of a JSON object; throws a TypeError that calls for a `type`. */
export function entriesOf(value: unknown, type: string): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError(type);
  return Object.entries(value);
}

/** The complaint about a value in daemon.json that `fromJson` threw. */
export function jsonComplaint(key: string, error: unknown): string {
  if (error instanceof TypeError) return `the value of ${JSON.stringify(key)} must be a ${error.message}`;
  return `${JSON.stringify(key)}: ${messageOf(error)}`;
}
