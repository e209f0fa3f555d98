import { invalid } from '#/base/errors.ts';

type Token =
  | { readonly kind: 'star' }
  | { readonly kind: 'any' }
  | { readonly kind: 'char'; readonly char: string };

/** A pattern of `${name#pattern}` and its like: `*` any characters of a line, `?` one of them; no brackets. */
export function parseShellPattern(pattern: string): readonly Token[] {
  const chars = Array.from(pattern);
  const tokens: Token[] = [];
  for (let at = 0; at < chars.length; at += 1) {
    const char = chars[at] ?? '';
    if (char === '*') tokens.push({ kind: 'star' });
    else if (char === '?') tokens.push({ kind: 'any' });
    else if (char === '\\') {
      at += 1;
      const next = chars[at] ?? '';
      if (!['*', '?', '\\', '}', '/'].includes(next)) {
        throw invalid(`invalid pattern (${pattern}) in substitution: invalid escape '\\${next}'`);
      }
      tokens.push({ kind: 'char', char: next });
    } else tokens.push({ kind: 'char', char });
  }
  return tokens;
}

/** Without the shortest or longest beginning that matches. */
export function trimPrefix(value: string, tokens: readonly Token[], longest: boolean): string {
  const chars = Array.from(value);
  const end = matchEnds(chars, tokens, longest)[0] ?? -1;
  return end < 0 ? value : chars.slice(end).join('');
}

/** Without the shortest or longest end that matches. */
export function trimSuffix(value: string, tokens: readonly Token[], longest: boolean): string {
  const chars = Array.from(value).reverse();
  const end = matchEnds(chars, tokens.toReversed(), longest)[0] ?? -1;
  return end < 0 ? value : chars.slice(end).reverse().join('');
}

/** With the first match, or all of them, replaced. */
export function replaceMatches(
  value: string,
  tokens: readonly Token[],
  { replacement, all }: { readonly replacement: string; readonly all: boolean },
): string {
  const chars = Array.from(value);
  const ends = matchEnds(chars, tokens, true);
  let out = '';
  let at = 0;
  let lastEnd = -1;
  while (at <= chars.length) {
    const end = ends[at] ?? -1;
    // An empty match right behind another one does not count.
    if (end > at || (end === at && at !== lastEnd)) {
      out += replacement;
      if (!all) return out + chars.slice(end).join('');
      lastEnd = end;
    }
    if (end > at) at = end;
    else {
      out += chars[at] ?? '';
      at += 1;
    }
  }
  return out;
}

/**
 * For each place in the text where a match that begins there ends at the latest (or earliest); -1 for none. Takes time
 * proportional to the product of both lengths, whatever the pattern.
 */
function matchEnds(chars: readonly string[], tokens: readonly Token[], longest: boolean): number[] {
  const size = chars.length + 1;
  let ends = Array.from({ length: size }, (_, index) => index);
  for (const token of tokens.toReversed()) {
    const next = Array.from({ length: size }, () => -1);
    for (let at = size - 1; at >= 0; at -= 1) {
      const char = chars[at];
      const rest = ends[at + 1] ?? -1;
      if (token.kind === 'star') {
        const here = ends[at] ?? -1;
        const later = char === undefined || char === '\n' ? -1 : (next[at + 1] ?? -1);
        next[at] = longest ? Math.max(here, later) : here >= 0 ? here : later;
      } else if (char !== undefined && (token.kind === 'any' ? char !== '\n' : char === token.char)) {
        next[at] = rest;
      }
    }
    ends = next;
  }
  return ends;
}
