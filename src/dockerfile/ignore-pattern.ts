import { invalid } from '#/base/errors.ts';
import { folderMatcher } from './glob-folders.ts';
import { globMatcher } from './glob-match.ts';
import { globTokens } from './glob-tokens.ts';
import { cleanPath } from './text.ts';

/** A pattern of an ignore file. */
export interface IgnorePattern {
  /** It begins with `!`. */
  readonly isException: boolean;
  /** Without the `!`, in its shortest form. */
  readonly text: string;
  readonly matches: (path: string) => boolean;
  /** Tells whether it may match something in a folder (false: it does not). */
  readonly mayMatchIn: (folder: string) => boolean;
}

/** Reads a pattern. Throws `invalid` for a malformed one. */
export function readIgnorePattern(text: string): IgnorePattern {
  const clean = cleanPath(text);
  const isException = clean.startsWith('!');
  const pattern = isException ? clean.slice(1) : clean;
  if (pattern === '') throw invalid('illegal exclusion pattern: "!"');
  // Whatever the rules below make of it, it must be a pattern of filepath.Match.
  globTokens(pattern, { folders: false });
  return {
    isException,
    text: pattern,
    matches: matcher(pattern),
    mayMatchIn: folderMatcher(pattern, { folders: true }),
  };
}

function matcher(pattern: string): (path: string) => boolean {
  if (!/[*?[\\]/.test(pattern)) return (path) => path === pattern;
  const beginning = /^([^*?[\\]*)\*\*$/.exec(pattern)?.[1];
  if (beginning !== undefined) return (path) => path.startsWith(beginning);
  const end = /^\*\*([^*?[\]\\]*)$/.exec(pattern)?.[1];
  if (end !== undefined) return (path) => path.endsWith(end) || `/${path}` === end;
  return globMatcher(globTokens(pattern, { folders: true }));
}
