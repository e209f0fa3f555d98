import type { GlobToken } from './glob-tokens.ts';

/**
 * Tells whether a path matches a pattern, in time proportional to the product of both lengths at most: patterns and
 * paths come from strangers.
 */
export function globMatcher(tokens: readonly GlobToken[]): (path: string) => boolean {
  const isOrdered = isOrderly(tokens);
  const runs = literalRuns(tokens);
  const beginning = runs[0] ?? '';
  const end = runs.at(-1) ?? '';
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '');
  return (path) => {
    // Most paths have nothing to do with most patterns.
    if (!path.startsWith(beginning) || !path.endsWith(end) || !path.includes(longest)) return false;
    return isOrdered ? matchOrderly(tokens, path) : matchAny(tokens, path);
  };
}

/** The characters between wildcards, those before the first and after the last one included, even if there are none. */
function literalRuns(tokens: readonly GlobToken[]): string[] {
  const runs = [''];
  for (const token of tokens) {
    if (token.kind === 'char') runs.push((runs.pop() ?? '') + token.char);
    else runs.push('');
  }
  return runs;
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
  let states = new States(tokens);
  let next = new States(tokens);
  states.add(0);
  for (let at = 0; at < path.length && states.list.length > 0; ) {
    const char = charAt(path, at);
    for (const state of states.list) {
      const index = state >> 1;
      const token = tokens[index];
      if (token === undefined) continue;
      if (token.kind === 'rest') return true;
      if (token.kind === 'star') {
        if (char !== '/') next.add(index);
      } else if (token.kind === 'folders') {
        next.enter(index);
        if (char === '/') next.add(index + 1);
      } else if (takes(token, char)) next.add(index + 1);
    }
    [states, next] = [next, states];
    next.clear();
    at += char.length;
  }
  return states.list.some((state) => state >> 1 === tokens.length || tokens[state >> 1]?.kind === 'rest');
}

/**
 * Which tokens may come next: twice the index of the token, and one more where a `folders` is under way, which is then no longer
 * the same as nothing.
 */
class States {
  readonly list: number[] = [];
  readonly #tokens: readonly GlobToken[];
  readonly #has: Uint8Array;

  constructor(tokens: readonly GlobToken[]) {
    this.#tokens = tokens;
    this.#has = new Uint8Array(2 * tokens.length + 2);
  }

  clear(): void {
    for (const state of this.list) this.#has[state] = 0;
    this.list.length = 0;
  }

  /** Adds a token and those after ones that may be empty. */
  add(from: number): void {
    for (let index = from; this.#put(2 * index); index += 1) {
      const kind = this.#tokens[index]?.kind;
      if (kind === 'folders') this.enter(index);
      else if (kind !== 'star') return;
    }
  }

  enter(index: number): void {
    this.#put(2 * index + 1);
  }

  #put(state: number): boolean {
    if (this.#has[state] === 1) return false;
    this.#has[state] = 1;
    this.list.push(state);
    return true;
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
