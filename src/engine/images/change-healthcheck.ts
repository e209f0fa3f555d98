import { invalid } from '#/base/errors.ts';
import { parseGoDuration } from '#/base/units.ts';
import type { ImageHealthcheck } from '#/oci/image-config.ts';
import { jsonWords } from './change-words.ts';

const durations: Readonly<Record<string, 'Interval' | 'Timeout' | 'StartPeriod' | 'StartInterval'>> = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
};
/** Nanoseconds. */
const leastDuration = 1_000_000;

/** What follows HEALTHCHECK: `NONE`, or flags and `CMD` with a program. */
export function parseHealthcheck(text: string): ImageHealthcheck {
  let rest = text;
  let settings: ImageHealthcheck = {};
  for (let flag = nextFlag(rest); flag !== undefined; flag = nextFlag(rest)) {
    settings = { ...settings, ...readFlag(flag.name, flag.value) };
    rest = flag.rest;
  }
  const [, word = '', command = ''] = /^(\S*)\s*(.*)$/s.exec(rest) ?? [];
  switch (word.toUpperCase()) {
    case 'NONE':
      if (command !== '') throw invalid('HEALTHCHECK NONE takes no arguments');
      return { Test: ['NONE'] };
    case 'CMD': {
      if (command === '') throw invalid('Missing command after HEALTHCHECK CMD');
      const words = jsonWords(command);
      return { ...settings, Test: words === undefined ? ['CMD-SHELL', command] : ['CMD', ...words] };
    }
    case '':
      throw invalid('HEALTHCHECK requires at least one argument');
    default:
      throw invalid(`Unknown type "${word.toUpperCase()}" in HEALTHCHECK (try CMD)`);
  }
}

function nextFlag(text: string): { name: string; value: string; rest: string } | undefined {
  const match = /^--([a-z-]+)=(\S*)\s*(.*)$/s.exec(text);
  if (match === null) {
    if (text.startsWith('--')) throw invalid(`Missing a value on flag: ${text.split(/[\s=]/, 1)[0]}`);
    return undefined;
  }
  const [, name = '', value = '', rest = ''] = match;
  return { name, value, rest };
}

function readFlag(name: string, value: string): ImageHealthcheck {
  if (name === 'retries') {
    if (!/^\d{1,9}$/.test(value))
      throw invalid(`--retries must be a whole number of at least 0 (not ${value})`);
    return { Retries: Number(value) };
  }
  const field = Object.hasOwn(durations, name) ? durations[name] : undefined;
  if (field === undefined) throw invalid(`Unknown flag: ${name}`);
  const duration = parseGoDuration(value);
  if (duration !== 0 && duration < leastDuration) {
    throw invalid(`Interval "${name}" cannot be less than 1ms`);
  }
  return { [field]: duration };
}
