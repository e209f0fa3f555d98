import { isSystemError } from '#/base/errors.ts';
import type { Context } from '../command.ts';
import { goMessage } from '../system-errors.ts';
import { parseAttributes } from './attributes.ts';
import { readBounded } from './read-bounded.ts';

/** Secrets are keys and passwords, not files of data. Bytes; BuildKit's limit. */
const maxSize = 500 * 1024;

/**
 * The values of `--secret`, by id, in base64. A variable that is not set is an empty secret, as for BuildKit, and warned of.
 * Throws an Error that never has a part of a value.
 */
export function readSecrets(
  texts: readonly string[],
  { env, stderr }: Pick<Context, 'env' | 'stderr'>,
): Record<string, string> {
  const given = texts.filter((text) => text !== '');
  return Object.fromEntries(given.map((text) => readSecret(text, { env, stderr })));
}

function readSecret(
  text: string,
  { env, stderr }: Pick<Context, 'env' | 'stderr'>,
): [id: string, value: string] {
  const { type, values } = parseAttributes('secret', text);
  const { id = '', ...rest } = values;
  const { src, source, env: variable, ...unknown } = rest;
  const [stray] = Object.keys(unknown);
  if (stray !== undefined) throw new Error(`unexpected key '${stray}' in '${text}'`);
  if (id === '') throw new Error(`secret without an id: ${JSON.stringify(text)} (id=name,src=path)`);
  if (!['', 'file', 'env'].includes(type)) throw new Error(`unsupported secret type ${JSON.stringify(type)}`);
  const path = src ?? source;
  const name =
    type === 'env' || (variable !== undefined && path === undefined)
      ? (variable ?? path ?? id)
      : path === undefined && type === '' && env[id] !== undefined
        ? id
        : undefined;
  if (name !== undefined && env[name] === undefined) {
    stderr.write(
      `WARNING: the secret ${JSON.stringify(id)} is empty: the variable ${JSON.stringify(name)} is not set\n`,
    );
  }
  const value = name === undefined ? fromFile(id, path ?? id) : Buffer.from(env[name] ?? '');
  if (value.length > maxSize) {
    throw new Error(`secret ${JSON.stringify(id)} is too large: at most ${maxSize} bytes are allowed`);
  }
  return [id, value.toString('base64')];
}

function fromFile(id: string, path: string): Buffer {
  try {
    return readBounded(path, maxSize);
  } catch (error) {
    const reason = isSystemError(error, 'EISDIR') ? `read ${path}: is a directory` : goMessage(error);
    throw new Error(`failed to read the secret ${JSON.stringify(id)}: ${reason}`, { cause: error });
  }
}
