import { folderMatcher } from './glob-folders.ts';
import { globMatcher } from './glob-match.ts';
import { globTokens } from './glob-tokens.ts';

/** A pattern of COPY, ADD and the like. */
export interface PathPattern {
  /** Tells whether it matches a whole path. */
  readonly matches: (path: string) => boolean;
  /** Tells whether it may match something in a folder (false: it does not). */
  readonly mayMatchIn: (folder: string) => boolean;
}

/** Tells whether a source of COPY is a pattern. */
export function hasWildcards(path: string): boolean {
  return /[*?[]/.test(path.replace(/\\./gs, ''));
}

/** Reads a pattern with the rules of Go's filepath.Match. Throws `invalid` for a malformed one. */
export function compilePathPattern(pattern: string): PathPattern {
  const options = { folders: false };
  return { matches: globMatcher(globTokens(pattern, options)), mayMatchIn: folderMatcher(pattern, options) };
}
