import type { GlobToken } from './glob-tokens.ts';

/**
 * Tells whether a path matches a pattern, in time proportional to the product of both lengths at most: patterns and
 * paths come from strangers.
 */
export function globMatcher(tokens: readonly GlobToken[]): (path: string) => boolean {
  return isOrderly(tokens) ? (path) => matchOrderly(tokens, path) : (path) => matchAny(tokens, path);
}

/**
 * In most patterns slashes only match slashes and folders come after slashes. Then on a mismatch only the last star can
 * take more, and after it the last `**`: what earlier ones could do, they can too.
 */
function isOrderly(tokens: readonly GlobToken[]): boolean {
  return tokens.every((token, index) => {
    if (token.kind === 'class') return !token.holds('/');
    if (token.kind !== 'folders' || index === 0) return true;
    const before = tokens[index - 1];
    return before?.kind === 'folders' || (before?.kind === 'char' && before.char === '/');
  });
}

function matchOrderly(tokens: readonly GlobToken[], path: string): boolean {
  let at = 0;
  let index = 0;
  let star: { index: number; at: number } | undefined;
  let folders: { index: number; at: number } | undefined;
  for (;;) {
    const token = tokens[index];
    if (token === undefined) {
      if (at === path.length) return true;
    } else if (token.kind === 'rest') return true;
    else if (token.kind === 'star') {
      star = { index: (index += 1), at };
      continue;
    } else if (token.kind === 'folders') {
      folders = { index: (index += 1), at };
      star = undefined;
      continue;
    } else if (at < path.length) {
      const char = charAt(path, at);
      if (takes(token, char)) {
        at += char.length;
        index += 1;
        continue;
      }
    }
    if (star !== undefined && star.at < path.length && path[star.at] !== '/') {
      at = star.at += charAt(path, star.at).length;
      index = star.index;
      continue;
    }
    const slash = folders === undefined ? -1 : path.indexOf('/', folders.at);
    if (folders === undefined || slash < 0) return false;
    at = folders.at = slash + 1;
    index = folders.index;
    star = undefined;
  }
}

/** Follows all possibilities at once. */
function matchAny(tokens: readonly GlobToken[], path: string): boolean {
  // A state is the index of the token that comes next; those of `folders` stand once for its beginning, once for its inside.
  const inside = tokens.length + 1;
  let states = reach(new Set(), 0, tokens);
  for (let at = 0; at < path.length && states.size > 0; ) {
    const char = charAt(path, at);
    const next = new Set<number>();
    for (const state of states) {
      const index = state >= inside ? state - inside : state;
      const token = tokens[index];
      if (token === undefined) continue;
      if (token.kind === 'rest') return true;
      if (state >= inside) {
        next.add(state);
        if (char === '/') reach(next, index + 1, tokens);
      } else if (token.kind === 'star') {
        if (char !== '/') reach(next, index, tokens);
      } else if (token.kind !== 'folders' && takes(token, char)) reach(next, index + 1, tokens);
    }
    states = next;
    at += char.length;
  }
  return states.has(tokens.length) || [...states].some((state) => tokens[state]?.kind === 'rest');
}

/** Adds a state and those that are reached from it without a character. */
function reach(states: Set<number>, from: number, tokens: readonly GlobToken[]): Set<number> {
  for (let index = from; ; index += 1) {
    if (states.has(index)) return states;
    states.add(index);
    const kind = tokens[index]?.kind;
    if (kind === 'folders') states.add(tokens.length + 1 + index);
    else if (kind !== 'star') return states;
  }
}

function takes(token: Exclude<GlobToken, { kind: 'star' | 'folders' | 'rest' }>, char: string): boolean {
  if (token.kind === 'char') return token.char === char;
  return token.kind === 'any' ? char !== '/' : token.holds(char);
}

function charAt(path: string, at: number): string {
  const code = path.charCodeAt(at);
  return code >= 0xd800 && code < 0xdc00 ? String.fromCodePoint(path.codePointAt(at) ?? 0) : path.charAt(at);
}
