import { invalid } from '#/base/errors.ts';

/** A part of a pattern for paths. */
export type GlobToken =
  | { readonly kind: 'char'; readonly char: string }
  /** One character that is not a slash. */
  | { readonly kind: 'any' }
  /** Any characters but slashes. */
  | { readonly kind: 'star' }
  /** One of some characters; a slash, too, if it is among them. */
  | { readonly kind: 'class'; readonly holds: (char: string) => boolean }
  /** Nothing, or anything up to and with a slash. */
  | { readonly kind: 'folders' }
  /** Everything up to the end. */
  | { readonly kind: 'rest' };

/** The error of Go's filepath.Match. */
function badPattern(pattern: string): Error {
  return invalid(`syntax error in pattern: ${JSON.stringify(pattern)}`);
}

/**
 * Takes a pattern apart as Go's filepath.Match does. With `folders`, `**` means any number of folders, as in ignore files.
 * Throws `invalid` for a malformed one.
 */
export function globTokens(pattern: string, { folders }: { readonly folders: boolean }): GlobToken[] {
  const chars = Array.from(pattern);
  const tokens: GlobToken[] = [];
  let at = 0;
  while (at < chars.length) {
    const char = chars[at] ?? '';
    at += 1;
    if (char === '*') {
      if (!folders || chars[at] !== '*') {
        tokens.push({ kind: 'star' });
        continue;
      }
      at += chars[at + 1] === '/' ? 2 : 1;
      tokens.push({ kind: at >= chars.length ? 'rest' : 'folders' });
    } else if (char === '?') tokens.push({ kind: 'any' });
    else if (char === '[') {
      const end = classEnd(chars, at, pattern);
      tokens.push({ kind: 'class', holds: classOf(chars.slice(at, end), pattern) });
      at = end + 1;
    } else if (char === '\\') {
      const escaped = chars[at];
      if (escaped === undefined) throw badPattern(pattern);
      tokens.push({ kind: 'char', char: escaped });
      at += 1;
    } else tokens.push({ kind: 'char', char });
  }
  return tokens;
}

/** Where the bracket that ends a class is; the first character of a class cannot end it. */
function classEnd(chars: readonly string[], start: number, pattern: string): number {
  const first = chars[start] === '^' ? start + 1 : start;
  for (let at = first; at < chars.length; at += 1) {
    if (chars[at] === '\\') at += 1;
    else if (chars[at] === ']') {
      if (at === first) break;
      return at;
    }
  }
  throw badPattern(pattern);
}

function classOf(chars: readonly string[], pattern: string): (char: string) => boolean {
  const isNegated = chars[0] === '^';
  const ranges: (readonly [low: number, high: number])[] = [];
  let at = isNegated ? 1 : 0;
  const next = (): number => {
    const isEscaped = chars[at] === '\\';
    if (isEscaped) at += 1;
    const char = chars[at];
    if (char === undefined || (char === '-' && !isEscaped)) throw badPattern(pattern);
    at += 1;
    return char.codePointAt(0) ?? 0;
  };
  while (at < chars.length) {
    const low = next();
    if (chars[at] === '-') {
      at += 1;
      ranges.push([low, next()]);
    } else ranges.push([low, low]);
  }
  return (char) => {
    const code = char.codePointAt(0) ?? 0;
    return ranges.some(([low, high]) => low <= code && code <= high) !== isNegated;
  };
}
