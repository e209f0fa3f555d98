import { readFileSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { isSystemError } from '#/base/errors.ts';
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
    return { root, rules: new IgnoreRules(parseIgnoreFile(content, basename(path))) };
  }
  return { root, rules: new IgnoreRules([]) };
}

/** Reads the Dockerfile of a folder: the one that is named, from the working folder, or `Dockerfile` in it. Throws an Error. */
export function localDockerfile(root: string, named: string): LocalDockerfile {
  const absolute = resolve(named === '' ? join(root, 'Dockerfile') : named);
  const path = relative(resolve(root), absolute);
  const isInside = path !== '' && path !== '..' && !path.startsWith('../');
  try {
    return { name: isInside ? path : basename(absolute), absolute, content: readFileSync(absolute) };
  } catch (error) {
    const shown = named === '' ? 'Dockerfile' : basename(absolute);
    const reason = isSystemError(error, 'ENOENT')
      ? `open ${shown}: no such file or directory`
      : goMessage(error);
    throw new Error(`failed to read dockerfile: ${reason}`, { cause: error });
  }
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw new Error(`cannot read the ignore file: ${goMessage(error)}`, { cause: error });
  }
}
