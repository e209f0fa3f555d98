import {
  compareVersions,
  apiVersion as newestVersion,
  minApiVersion as oldestVersion,
} from '#/wire/version.ts';
import type { Handler, Route } from './call.ts';

/** What a request line means. */
export type Match =
  | {
      readonly kind: 'found';
      readonly handler: Handler;
      readonly params: Readonly<Record<string, string>>;
      readonly version: string;
    }
  | { readonly kind: 'notFound' }
  | { readonly kind: 'badPath' }
  | { readonly kind: 'tooOld' | 'tooNew'; readonly version: string };

interface Leaf {
  readonly handler: Handler;
  /** Name of the parameter, or undefined for a fixed path. */
  readonly param: string | undefined;
}

/**
 * Finds the handler of a request with a few look-ups in maps, however many routes there are. A path has at most one
 * `:parameter`, as its second segment; it takes slashes too, because image names have them.
 */
export class Router {
  /** By method and whole path. */
  readonly #fixed = new Map<string, Leaf>();
  /** By method, first segment and what follows the parameter. */
  readonly #withParam = new Map<string, Leaf>();

  /** Routes that come first win. Throws for a path that this router cannot serve. */
  constructor(routes: readonly Route[]) {
    for (const [method, path, handler] of routes) {
      const match = /^(\/[^/:]+)\/:([a-z]+)((?:\/[^:]+)?)$/.exec(path);
      if (match === null) {
        if (path.includes(':')) throw new Error(`unsupported route: ${path}`);
        addOnce(this.#fixed, `${method} ${path}`, { handler, param: undefined });
      } else {
        const [, prefix = '', param, suffix = ''] = match;
        addOnce(this.#withParam, `${method} ${prefix} ${suffix}`, { handler, param });
      }
    }
  }

  /** `path` is the request's, without the query, still percent-encoded. */
  match(method: string, path: string): Match {
    const versioned = /^\/v([0-9.]+)(\/.*)$/.exec(path);
    const version = versioned?.[1] ?? newestVersion;
    const found = this.#find(method, versioned?.[2] ?? path);
    if (found === undefined) return { kind: 'notFound' };
    if (versioned !== null) {
      if (!/^\d{1,4}(\.\d{1,4})?$/.test(version)) return { kind: 'notFound' };
      if (compareVersions(version, newestVersion) > 0) return { kind: 'tooNew', version };
      if (compareVersions(version, oldestVersion) < 0) return { kind: 'tooOld', version };
    }
    const { leaf, value } = found;
    if (leaf.param === undefined) return { kind: 'found', handler: leaf.handler, params: {}, version };
    const decoded = decode(value);
    if (decoded === undefined) return { kind: 'badPath' };
    return { kind: 'found', handler: leaf.handler, params: { [leaf.param]: decoded }, version };
  }

  #find(method: string, path: string): { leaf: Leaf; value: string } | undefined {
    const fixed = this.#fixed.get(`${method} ${path}`);
    if (fixed !== undefined) return { leaf: fixed, value: '' };
    const paramStart = path.indexOf('/', 1) + 1;
    if (paramStart === 0) return undefined;
    const prefix = path.slice(0, paramStart - 1);
    // The longest suffix wins: two segments (`/attach/ws`), then one, then none.
    const last = path.lastIndexOf('/');
    const lastButOne = path.lastIndexOf('/', last - 1);
    for (const at of [lastButOne, last, path.length]) {
      if (at <= paramStart) continue;
      const leaf = this.#withParam.get(`${method} ${prefix} ${path.slice(at)}`);
      if (leaf !== undefined) return { leaf, value: path.slice(paramStart, at) };
    }
    return undefined;
  }
}

function addOnce(leaves: Map<string, Leaf>, key: string, leaf: Leaf): void {
  if (!leaves.has(key)) leaves.set(key, leaf);
}

function decode(text: string): string | undefined {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
