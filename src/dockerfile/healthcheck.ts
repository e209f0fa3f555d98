import { invalid } from '#/base/errors.ts';
import { parseGoDuration } from '#/base/units.ts';
import type { ImageHealthcheck } from '#/oci/image-config.ts';
import { Flags } from './flags.ts';
import type { SyntaxNode } from './node.ts';

/** Nanoseconds. */
const leastDuration = 1_000_000;
const maxRetries = 2 ** 31 - 1;

const known = {
  interval: 'text',
  timeout: 'text',
  'start-period': 'text',
  'start-interval': 'text',
  retries: 'text',
} as const;

/** What HEALTHCHECK says: `NONE`, or flags and `CMD` with a program. */
export function readHealthcheck(node: SyntaxNode): ImageHealthcheck {
  const { args } = node;
  if (args.kind !== 'typed') throw invalid('HEALTHCHECK requires at least one argument');
  const type = args.type.toUpperCase();
  if (type === 'NONE') {
    if (args.rest.kind !== 'none') throw invalid('HEALTHCHECK NONE takes no arguments');
    return { Test: ['NONE'] };
  }
  const flags = new Flags(node.flags, known);
  if (type !== 'CMD') throw invalid(`Unknown type ${JSON.stringify(type)} in HEALTHCHECK (try CMD)`);
  const program = test(args.rest);
  return {
    ...duration(flags, 'interval', 'Interval'),
    ...duration(flags, 'timeout', 'Timeout'),
    ...duration(flags, 'start-period', 'StartPeriod'),
    ...duration(flags, 'start-interval', 'StartInterval'),
    ...retries(flags.filled('retries')),
    Test: program,
  };
}

function test(rest: SyntaxNode['args']): string[] {
  if (rest.kind === 'text') return ['CMD-SHELL', rest.text];
  if (rest.kind === 'json' && rest.words.length > 0) return ['CMD', ...rest.words];
  throw invalid('Missing command after HEALTHCHECK CMD');
}

function duration(flags: Flags, flag: keyof typeof known, field: keyof ImageHealthcheck): ImageHealthcheck {
  const text = flags.filled(flag);
  if (text === undefined) return {};
  const value = parseGoDuration(text);
  if (value !== 0 && value < leastDuration) throw invalid(`Interval "${flag}" cannot be less than 1ms`);
  return { [field]: value };
}

function retries(text: string | undefined): ImageHealthcheck {
  if (text === undefined) return {};
  if (!/^[+-]?\d+$/.test(text)) {
    throw invalid(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  const value = Number(text);
  if (value > maxRetries) {
    throw invalid(`strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`);
  }
  if (value < 0) throw invalid(`--retries cannot be negative (${value})`);
  return { Retries: value };
}
