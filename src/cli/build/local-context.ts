import { existsSync, readFileSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { isSystemError, messageOf } from '#/base/errors.ts';
import { IgnoreRules, ignoreFileNames, parseIgnoreFile } from '#/dockerfile/ignore.ts';
import { goMessage } from '../system-errors.ts';

/** A folder as the context of a build. */
export interface LocalContext {
  readonly root: string;
  /** What of it is not sent. */
  readonly rules: IgnoreRules;
}

/** A Dockerfile on this machine. */
export interface LocalDockerfile {
  /** Relative to the context if it is in it, else its last component. */
  readonly name: string;
  readonly absolute: string;
  readonly content: Buffer;
}

/** A folder with the rules of its `.dockerignore`, or of the ignore file that lies beside the Dockerfile. Throws an Error. */
export function localContext(root: string, dockerfile?: LocalDockerfile): LocalContext {
  const [own = ''] = dockerfile === undefined ? [] : ignoreFileNames(dockerfile.absolute);
  const candidates = [...(own === '' ? [] : [own]), join(root, '.dockerignore')];
  for (const path of candidates) {
    const content = readIfThere(path);
    if (content === undefined) continue;
    return { root, rules: rulesOf(content, path) };
  }
  return { root, rules: new IgnoreRules([]) };
}

/**
 * Reads the Dockerfile of a folder: the one that is named, from the working folder, else `Dockerfile` in it, or `dockerfile`.
 * Throws an Error.
 */
export function localDockerfile(root: string, named: string): LocalDockerfile {
  if (named !== '') return readDockerfile(root, { path: named, shown: named });
  const usual = join(root, 'Dockerfile');
  const lower = join(root, 'dockerfile');
  const path = !existsSync(usual) && existsSync(lower) ? lower : usual;
  return readDockerfile(root, { path, shown: basename(path) });
}

function readDockerfile(
  root: string,
  { path: given, shown }: { path: string; shown: string },
): LocalDockerfile {
  const absolute = resolve(given);
  const path = relative(resolve(root), absolute);
  const isInside = path !== '' && path !== '..' && !path.startsWith('../');
  try {
    return { name: isInside ? path : basename(absolute), absolute, content: readFileSync(absolute) };
  } catch (error) {
    throw new Error(`failed to read dockerfile: ${unreadable(error, { root, path: given, shown })}`, {
      cause: error,
    });
  }
}

function unreadable(
  error: unknown,
  { root, path, shown }: { root: string; path: string; shown: string },
): string {
  if (isSystemError(error, 'EISDIR')) return `read ${path}: is a directory`;
  if (!isSystemError(error, 'ENOENT')) return goMessage(error);
  const missing = `open ${shown}: no such file or directory`;
  if (path !== shown) return `${missing} (in ${JSON.stringify(root)}; another one is named with --file)`;
  // Other tools look for it in the context.
  const isInContext = existsSync(join(root, path));
  return isInContext ? `${missing}; paths of --file begin where you are: ${join(root, path)}` : missing;
}

function rulesOf(content: Buffer, path: string): IgnoreRules {
  try {
    return new IgnoreRules(parseIgnoreFile(content, basename(path)));
  } catch (error) {
    throw new Error(`failed to read ${path}: ${messageOf(error)}`, { cause: error });
  }
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return undefined;
    const reason = isSystemError(error, 'EISDIR') ? `read ${path}: is a directory` : goMessage(error);
    throw new Error(`cannot read the ignore file: ${reason}`, { cause: error });
  }
}
