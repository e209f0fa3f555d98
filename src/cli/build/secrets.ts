import type { Context } from '../command.ts';
import { goMessage } from '../system-errors.ts';
import { parseAttributes } from './attributes.ts';
import { readBounded } from './read-bounded.ts';

/** Secrets are keys and passwords, not files of data. Bytes; BuildKit's limit. */
const maxSize = 500 * 1024;

/** The values of `--secret`, by id, in base64. Throws an Error that never has a part of a value. */
export function readSecrets(texts: readonly string[], env: Context['env']): Record<string, string> {
  return Object.fromEntries(texts.map((text) => readSecret(text, env)));
}

function readSecret(text: string, env: Context['env']): [id: string, value: string] {
  const { type, values } = parseAttributes('secret', text);
  const { id = '', ...rest } = values;
  const { src, source, env: variable, ...unknown } = rest;
  const [stray] = Object.keys(unknown);
  if (stray !== undefined) throw new Error(`unexpected key '${stray}' in '${text}'`);
  if (id === '') throw new Error(`secret without an id: ${JSON.stringify(text)} (id=name,src=path)`);
  if (!['', 'file', 'env'].includes(type)) throw new Error(`unsupported secret type ${JSON.stringify(type)}`);
  const path = src ?? source;
  const value =
    type === 'env' || (variable !== undefined && path === undefined)
      ? fromEnvironment(variable ?? path ?? id, env)
      : path === undefined && type === '' && env[id] !== undefined
        ? fromEnvironment(id, env)
        : fromFile(path ?? id);
  if (value.length > maxSize) {
    throw new Error(`secret ${JSON.stringify(id)} is too large: at most ${maxSize} bytes are allowed`);
  }
  return [id, value.toString('base64')];
}

function fromEnvironment(name: string, env: Context['env']): Buffer {
  const value = env[name];
  if (value === undefined) throw new Error(`the variable ${JSON.stringify(name)} for a secret is not set`);
  return Buffer.from(value);
}

function fromFile(path: string): Buffer {
  try {
    return readBounded(path, maxSize);
  } catch (error) {
    throw new Error(`failed to read a secret: ${goMessage(error)}`, { cause: error });
  }
}
