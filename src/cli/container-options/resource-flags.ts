import { parseBinarySize } from '#/base/units.ts';
import type { ThrottleDevice, Ulimit, WeightDevice } from '#/wire/containers.ts';

/** Billionths of a CPU from "1.5", "1e-1" or "1/2". Throws an Error in docker's words. */
export function parseCpus(text: string): number {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?(?:\/(\d+))?$/.exec(text);
  const [, sign = '', whole = '', decimals = '', exponent = '0', divisor = '1'] = match ?? [];
  if (match === null || whole + decimals === '' || BigInt(divisor) === 0n) {
    throw new Error(`failed to parse ${text} as a rational number`);
  }
  const power = 9 + Number(exponent) - decimals.length;
  const digits = BigInt(whole + decimals);
  const numerator = power >= 0 ? digits * 10n ** BigInt(power) : digits;
  const denominator = BigInt(divisor) * (power >= 0 ? 1n : 10n ** BigInt(-power));
  if (numerator % denominator !== 0n) throw new Error('value is too precise');
  return Number(numerator / denominator) * (sign === '-' ? -1 : 1);
}

function device(text: string): { path: string; value: string } {
  const at = text.indexOf(':');
  if (at <= 0) throw new Error(`bad format: ${text}`);
  const path = text.slice(0, at);
  if (!path.startsWith('/dev/')) throw new Error(`bad format for device path: ${text}`);
  return { path, value: text.slice(at + 1) };
}

/** `path:weight`, the weight 0 or 10 to 1000. */
export function parseWeight(text: string): WeightDevice {
  const { path, value } = device(text);
  const weight = /^\d{1,5}$/.test(value) ? Number(value) : -1;
  if (weight < 0 || weight > 1000 || (weight > 0 && weight < 10)) {
    throw new Error(`invalid weight for device: ${text}`);
  }
  return { Path: path, Weight: weight };
}

/** A parser of `path:rate`; rates in bytes may have a unit. */
export function parseThrottle(unit: 'bytes' | 'operations'): (text: string) => ThrottleDevice {
  const form = unit === 'bytes' ? '<device-path>:<number>[<unit>]' : '<device-path>:<number>';
  const extra = unit === 'bytes' ? '. Unit is optional and can be kb, mb, or gb' : '';
  return (text) => {
    const { path, value } = device(text);
    try {
      if (unit === 'bytes') return { Path: path, Rate: parseBinarySize(value) };
      if (/^\d{1,20}$/.test(value)) return { Path: path, Rate: Number(value) };
    } catch {
      // The message below says how it is written, which tells more than which character was wrong.
    }
    throw new Error(
      `invalid rate for device: ${text}. The correct format is ${form}. Number must be a positive integer${extra}`,
    );
  };
}

const ulimits = new Set([
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
]);

/** `name=soft[:hard]`; -1 is unlimited. Throws an Error in docker's words. */
export function parseUlimit(text: string): Ulimit {
  const at = text.indexOf('=');
  if (at < 0 || at === text.length - 1) throw new Error(`invalid ulimit argument: ${text}`);
  const name = text.slice(0, at);
  if (!ulimits.has(name)) throw new Error(`invalid ulimit type: ${name}`);
  const parts = text.slice(at + 1).split(':');
  if (parts.length > 2) {
    throw new Error(
      `too many limit value arguments - ${text.slice(at + 1)}, can only have up to two, \`soft[:hard]\``,
    );
  }
  const numbers = parts
    .filter((part, index) => index === 0 || part !== '')
    .map((part) => {
      if (!/^[+-]?\d{1,18}$/.test(part)) {
        throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(part)}: invalid syntax`);
      }
      return Number(part);
    });
  const [soft = 0, hard = soft] = numbers;
  if (hard !== -1 && soft === -1) {
    throw new Error(
      `ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: ${hard}`,
    );
  }
  if (hard !== -1 && soft > hard) {
    throw new Error(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
  }
  return { Name: name, Hard: hard, Soft: soft };
}
