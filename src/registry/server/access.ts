import type { IncomingMessage } from 'node:http';

/**
 * What somebody wants to do. `ping` is GET /v2/, which clients use to find out how to log in. `list` is to see that a
 * repository exists and which tags it has; `admin` is garbage collection.
 */
export type Verb = 'ping' | 'pull' | 'push' | 'delete' | 'list' | 'admin';

/** Who asks. */
export interface User {
  readonly name: string;
}

/** One thing that is asked for. */
export interface Wanted {
  readonly verb: Verb;
  /** Undefined: no repository (ping, admin), or a look over all of them (list). */
  readonly repository: string | undefined;
}

/** Denied with a challenge is answered by 401 and that value of WWW-Authenticate, without one by 403. */
export type Decision = { readonly allowed: true } | { readonly allowed: false; readonly challenge?: string };

/**
 * Decides who may do what. Each request is identified once, then everything that it does is asked for by repository and
 * verb: one request can need several (a mount needs `push` to the target and `pull` from the source, a listing asks for
 * every repository that it would show).
 */
export interface Access {
  /**
   * Who sends this request; undefined for nobody in particular. Throws UNAUTHORIZED for credentials that are wrong, so
   * that they are never taken for none.
   */
  identify(request: IncomingMessage): Promise<User | undefined>;
  /** Decides without waiting; what must be looked up is looked up by `identify`. */
  decide(user: User | undefined, wanted: Wanted): Decision;
}

/** Everybody may do everything: for a registry on a private address. */
export const openAccess: Access = {
  identify: () => Promise.resolve(undefined),
  decide: () => ({ allowed: true }),
};
