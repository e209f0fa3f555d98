import { internal } from '#/base/errors.ts';

type Token = 'star' | ((char: string) => boolean);

/**
 * A shell pattern as in Go's path.Match: `*` and `?` stop at slashes, `[a-z]`, `[^a]`, backslash. Tells whether a whole
 * name matches, in time proportional to both lengths. Throws for a malformed pattern.
 */
export function compileGlob(pattern: string): (name: string) => boolean {
  // Slashes only match slashes, so each segment is a matter of its own.
  const segments = pattern.split('/').map(tokensOf);
  return (name) => {
    const parts = name.split('/');
    return parts.length === segments.length && segments.every((tokens, i) => matches(tokens, parts[i] ?? ''));
  };
}

/** On a mismatch only the last star has to take one more: what earlier ones could do, it can too. */
function matches(tokens: readonly Token[], text: string): boolean {
  let at = 0;
  let token = 0;
  let retry: { token: number; at: number } | undefined;
  while (at < text.length || token < tokens.length) {
    const expected = tokens[token];
    if (expected === 'star') {
      retry = { token, at };
      token += 1;
    } else if (expected !== undefined && at < text.length && expected(text[at] ?? '')) {
      token += 1;
      at += 1;
    } else if (retry !== undefined && retry.at < text.length) {
      retry = { token: retry.token, at: retry.at + 1 };
      token = retry.token + 1;
      at = retry.at;
    } else return false;
  }
  return true;
}

function tokensOf(segment: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < segment.length; at += 1) {
    const char = segment[at];
    if (char === '*') tokens.push('star');
    else if (char === '?') tokens.push(() => true);
    else if (char === '[') {
      const set = /^\[(\^?)((?:\\.|[^\]\\])+)\]/.exec(segment.slice(at));
      if (set === null) throw badPattern();
      const ranges = rangesOf(set[2] ?? '');
      const negated = set[1] === '^';
      tokens.push((c) => ranges.some(([low, high]) => low <= c && c <= high) !== negated);
      at += set[0].length - 1;
    } else {
      if (char === '\\') at += 1;
      const literal = segment[at];
      if (literal === undefined) throw badPattern();
      tokens.push((c) => c === literal);
    }
  }
  return tokens;
}

function rangesOf(text: string): (readonly [low: string, high: string])[] {
  const chars = [...text.matchAll(/\\(.)|(.)/g)].map((match) => ({
    char: match[1] ?? match[2] ?? '',
    dash: match[2] === '-',
  }));
  const ranges: (readonly [string, string])[] = [];
  for (let at = 0; at < chars.length; at += 1) {
    const low = chars[at];
    if (low === undefined || low.dash) throw badPattern();
    if (chars[at + 1]?.dash === true) {
      const high = chars[at + 2];
      if (high === undefined || high.dash) throw badPattern();
      ranges.push([low.char, high.char]);
      at += 2;
    } else ranges.push([low.char, low.char]);
  }
  return ranges;
}

function badPattern(): Error {
  return internal('syntax error in pattern');
}
