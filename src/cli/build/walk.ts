import { type BigIntStats, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { isSystemError } from '#/base/errors.ts';
import type { IgnoreRules, IgnoreState } from '#/dockerfile/ignore.ts';
import { goMessage } from '../system-errors.ts';

/** A file of a context. */
export interface ContextFile {
  /** Relative to the context, with slashes. */
  readonly path: string;
  readonly absolute: string;
  readonly stats: BigIntStats;
  /** Target of a symbolic link, else empty. */
  readonly link: string;
}

/**
 * The files of a folder that its ignore file leaves, folders before what is in them, in the order of their names.
 * Symbolic links are not followed; sockets are left out. Throws an Error for devices and for what cannot be read.
 */
export function* walkContext(root: string, rules: IgnoreRules): Generator<ContextFile, void, undefined> {
  yield* new Walk(root, rules).folder('', rules.root);
}

class Walk {
  readonly #root: string;
  readonly #rules: IgnoreRules;
  /** Excluded folders on the way to where we are that nothing in them has been found of yet. */
  readonly #waiting: ContextFile[] = [];

  constructor(root: string, rules: IgnoreRules) {
    this.#root = root;
    this.#rules = rules;
  }

  *folder(path: string, state: IgnoreState): Generator<ContextFile, void, undefined> {
    for (const name of namesIn(`${this.#root}/${path}`)) {
      const inner = path === '' ? name : `${path}/${name}`;
      const verdict = this.#rules.judge(inner, state);
      if (verdict.isExcluded && !verdict.mayHoldOthers) continue;
      const file = this.#look(inner);
      if (file === undefined) continue;
      const isFolder = file.stats.isDirectory();
      if (verdict.isExcluded && !isFolder) continue;
      if (verdict.isExcluded) this.#waiting.push(file);
      else {
        yield* this.#waiting.splice(0);
        yield file;
      }
      if (isFolder) yield* this.folder(inner, verdict.state);
      // Nothing was found in it.
      if (this.#waiting.at(-1) === file) this.#waiting.pop();
    }
  }

  #look(path: string): ContextFile | undefined {
    const absolute = `${this.#root}/${path}`;
    try {
      const stats = lstatSync(absolute, { bigint: true });
      if (stats.isSocket()) return undefined;
      if (stats.isBlockDevice() || stats.isCharacterDevice()) {
        throw new Error(
          `${absolute} is a device, which contexts do not have; leave it out by a line in .dockerignore`,
        );
      }
      return { path, absolute, stats, link: stats.isSymbolicLink() ? readlinkSync(absolute) : '' };
    } catch (error) {
      throw unreadable(error);
    }
  }
}

/** In the order of their bytes. */
function namesIn(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    throw unreadable(error);
  }
  const broken = names.find((name) => name.includes('\ufffd'));
  if (broken !== undefined) {
    throw new Error(
      `cannot send the build context: the name ${JSON.stringify(broken)} in ${folder} is not UTF-8`,
    );
  }
  return names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** What people may do about a file that they may not read; empty for other errors. */
export function unreadableHint(error: unknown): string {
  return isSystemError(error, 'EACCES')
    ? '; make it readable, or leave it out by a line in .dockerignore'
    : '';
}

function unreadable(error: unknown): Error {
  const reason = `${goMessage(error)}${unreadableHint(error)}`;
  return new Error(`cannot read the build context: ${reason}`, { cause: error });
}
