import { invalid } from '#/base/errors.ts';
import { type IgnorePattern, readIgnorePattern } from './ignore-pattern.ts';
import { cleanPath, trimBlanks } from './text.ts';

/** Bytes of an ignore file. */
const maxBytes = 4 * 1024 * 1024;
/** Bytes of one of its lines. */
const maxLineBytes = 64 * 1024;
const maxPatterns = 10_000;

/** The patterns of an ignore file, cleaned: without comments, blanks, slashes in front and at the end. `name` is for messages. */
export function parseIgnoreFile(bytes: Uint8Array, name: string): string[] {
  if (bytes.byteLength > maxBytes) throw invalid(`error reading ${name}: larger than ${maxBytes} bytes`);
  const patterns: string[] = [];
  for (const line of new TextDecoder().decode(bytes).split('\n')) {
    if (Buffer.byteLength(line) > maxLineBytes) {
      throw invalid(`error reading ${name}: a line is longer than ${maxLineBytes} bytes`);
    }
    const text = line.startsWith('#') ? '' : trimBlanks(line);
    if (text === '') continue;
    const isException = text.startsWith('!');
    const path = isException ? trimBlanks(text.slice(1)) : text;
    const clean = path === '' ? '' : cleanPath(path).replace(/^\/(?=.)/, '');
    patterns.push(isException ? `!${clean}` : clean);
  }
  return patterns;
}

/** The ignore files of a Dockerfile, relative to the root of the context; the first one that exists counts, alone. */
export function ignoreFileNames(dockerfile: string): readonly string[] {
  return [`${dockerfile}.dockerignore`, '.dockerignore'];
}

/** What the patterns said of a folder; only `IgnoreRules` can tell. */
export interface IgnoreState {
  /** The patterns that match it, by their index. */
  readonly matched: readonly number[];
}

/** What the patterns say of something in a folder. */
export interface IgnoreVerdict {
  readonly isExcluded: boolean;
  /** It is excluded, but an exception may match something in it, if it is a folder. */
  readonly mayHoldOthers: boolean;
  readonly state: IgnoreState;
}

/**
 * The rules of a `.dockerignore` (or of `COPY --exclude`): patterns, of which the last one that matches a path or a folder
 * above it decides; `!` makes an exception. Paths are relative, with slashes, in their shortest form.
 */
export class IgnoreRules {
  /** The state of the root of the tree. */
  readonly root: IgnoreState = { matched: [] };
  readonly #patterns: readonly IgnorePattern[];

  /** Throws `invalid` for a malformed pattern. */
  constructor(patterns: readonly string[]) {
    if (patterns.length > maxPatterns) throw invalid(`more than ${maxPatterns} patterns`);
    this.#patterns = patterns
      .map(trimBlanks)
      .filter((pattern) => pattern !== '')
      .map(readIgnorePattern);
  }

  /** There are patterns with `!`. */
  get hasExceptions(): boolean {
    return this.#patterns.some(({ isException }) => isException);
  }

  /** A pattern excludes all there is, however deep. */
  get excludesEverything(): boolean {
    return this.#patterns.some(({ isException, text }) => !isException && ['*', '**', '**/*'].includes(text));
  }

  /** Nothing is ever excluded. */
  get isEmpty(): boolean {
    return this.#patterns.length === 0;
  }

  /** Judges something by its whole path and the state of the folder that it is in. For walks from the root down. */
  judge(path: string, { matched: inherited }: IgnoreState): IgnoreVerdict {
    let matched: number[] | undefined;
    let next = 0;
    let isExcluded = false;
    for (const [index, pattern] of this.#patterns.entries()) {
      const isInherited = inherited[next] === index;
      if (isInherited) {
        next += 1;
        isExcluded = !pattern.isException;
        matched?.push(index);
        // Docker does not ask patterns that could not change anything; so they do not count for what is below.
      } else if (pattern.isException === isExcluded && pattern.matches(path)) {
        matched ??= inherited.slice(0, next);
        matched.push(index);
        isExcluded = !pattern.isException;
      }
    }
    const state = matched === undefined ? { matched: inherited } : { matched };
    return { isExcluded, mayHoldOthers: isExcluded && this.#hasExceptionIn(path, state), state };
  }

  /** Judges a path alone. */
  excludes(path: string): boolean {
    let state = this.root;
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
      state = this.judge(path.slice(0, at), state).state;
    }
    return this.judge(path, state).isExcluded;
  }

  /** Exceptions that come after the last pattern which excludes the folder. */
  #hasExceptionIn(folder: string, { matched }: IgnoreState): boolean {
    const last = matched.at(-1) ?? -1;
    return this.#patterns.some(
      (pattern, index) => index > last && pattern.isException && pattern.mayMatchIn(folder),
    );
  }
}
