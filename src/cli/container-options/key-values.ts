import { readFileSync } from 'node:fs';
import { goMessage } from '../system-errors.ts';

type Lookup = (name: string) => string | undefined;

/** A `--env`; a name alone takes its value from our own environment, if it is there. */
export function checkEnvironment(text: string): string {
  const at = text.indexOf('=');
  if (at === 0 || text === '') throw new Error(`invalid environment variable: ${text}`);
  if (at > 0) return text;
  const own = process.env[text];
  return own === undefined ? text : `${text}=${own}`;
}

/** A `--label`: the name is neither empty nor does it contain white space. */
export function checkLabel(text: string): string {
  const name = (text.split('=')[0] ?? '').replace(/^[ \t]+/, '');
  if (name === '') throw new Error(`invalid label '${text}': empty name`);
  if (/[ \t]/.test(name)) throw new Error(`label '${name}' contains whitespaces`);
  return text;
}

/** `name=value` pairs as a map; the last one of a name counts. */
export function toMap(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

/**
 * The lines of files of `name=value`, one after the other. Empty lines and those that start with # do not count; a name
 * alone takes what `lookup` says and is left out if it says nothing.
 */
export function readPairFiles(paths: readonly string[], lookup: Lookup = () => undefined): string[] {
  return paths.flatMap((path) => parsePairs(path, readPairFile(path), lookup));
}

function readPairFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Error(goMessage(error), { cause: error });
  }
}

function parsePairs(path: string, content: Buffer, lookup: Lookup): string[] {
  const pairs: string[] = [];
  const text = content.toString().replace(/^\ufeff/, '');
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    if (raw.includes('\ufffd')) {
      throw new Error(`invalid env file (${path}): invalid utf8 bytes at line ${index + 1}`);
    }
    const line = raw.trimStart();
    if (line === '' || line.startsWith('#')) continue;
    const at = line.indexOf('=');
    const name = at < 0 ? line : line.slice(0, at);
    if (name === '') throw new Error(`invalid env file (${path}): no variable name on line '${line}'`);
    if (/[ \t]/.test(name))
      throw new Error(`invalid env file (${path}): variable '${name}' contains whitespaces`);
    if (at >= 0) pairs.push(line);
    else if (lookup(name) !== undefined) pairs.push(`${name}=${lookup(name)}`);
  }
  return pairs;
}
