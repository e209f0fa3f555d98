import { readFileSync } from 'node:fs';
import { isSystemError } from '#/base/errors.ts';

/** What the configuration file says, with what we do not know. */
export type ConfigDocument = Readonly<Record<string, unknown>>;

/** The user's configuration; a missing file is empty. Throws an Error that names the file if it is no JSON object. */
export function readConfigFile(path: string): ConfigDocument {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (isObject(parsed)) return parsed;
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return {};
    throw new Error(`cannot read the configuration file ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  throw new Error(`cannot read the configuration file ${path}: it must be a JSON object`);
}

/** Tells objects from arrays and the rest. */
export function isObject(value: unknown): value is ConfigDocument {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
