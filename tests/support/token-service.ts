import type { Answer } from './faulty-registry/answer.ts';
import {
  type FaultyRegistry,
  openFaultyRegistry,
  type SeenRequest,
  unauthorized,
} from './faulty-registry.ts';

/** What a token service is made of. */
interface TokenServiceOptions {
  /** Passwords by name. Without credentials there are tokens to pull with. */
  readonly users?: Readonly<Record<string, string>>;
  /** Identity tokens that buy tokens, and whose they are. */
  readonly identities?: Readonly<Record<string, string>>;
  /** Seconds that tokens are said to be good for. */
  readonly expiresIn?: number;
  /** Name of the member with the token; default `token`. */
  readonly member?: 'token' | 'access_token';
}

/** A service that gives out tokens for registries (distribution's "Token Authentication" and its OAuth2 form). */
export interface TokenService extends AsyncDisposable {
  readonly realm: string;
  /** What it was asked, and its faults. */
  readonly server: FaultyRegistry;
  /** From now on no token given out before is good. */
  revoke(): void;
  /** Lets in who has a token for what is asked. Challenges may name another realm. */
  guard(options?: { realm?: string }): (request: SeenRequest) => Answer | undefined;
}

/** Starts one on a free port of the loopback interface. */
export async function openTokenService(options: TokenServiceOptions = {}): Promise<TokenService> {
  const { users = {}, identities = {}, expiresIn, member = 'token' } = options;
  const known = new Map(Object.entries(identities));
  const scopesOf = new Map<string, readonly string[]>();
  let count = 0;
  const issue = (user: string, scopes: readonly string[], more: object = {}): Answer => {
    count += 1;
    const token = `token-${count}-of-${user || 'anonymous'}`;
    const granted = user === '' ? scopes.map((scope) => scope.replace(/:[^:]*$/, ':pull')) : scopes;
    scopesOf.set(token, granted);
    const body = JSON.stringify({
      [member]: token,
      ...(expiresIn !== undefined && { expires_in: expiresIn }),
      ...more,
    });
    return { status: 200, headers: { 'content-type': 'application/json' }, body };
  };
  const server = await openFaultyRegistry({
    handle: ({ method, path, headers, body }) => {
      if (method === 'POST') {
        const form = new URLSearchParams(body.toString());
        const user = known.get(form.get('refresh_token') ?? '');
        return user === undefined ? refused : issue(user, (form.get('scope') ?? '').split(' '));
      }
      const { searchParams } = new URL(path, 'http://service.invalid');
      const user = userOf(headers['authorization'], users);
      if (user === undefined) return refused;
      const isOffline = searchParams.get('offline_token') === 'true' && user !== '';
      if (isOffline) known.set(`identity-of-${user}`, user);
      return issue(
        user,
        searchParams.getAll('scope'),
        isOffline ? { refresh_token: `identity-of-${user}` } : {},
      );
    },
  });
  const realm = `${server.url}/token`;
  return {
    realm,
    server,
    revoke: () => scopesOf.clear(),
    guard:
      ({ realm: named = realm } = {}) =>
      (request) => {
        const needed = scopeOf(request);
        const scopes = scopesOf.get((request.headers['authorization'] ?? '').replace(/^Bearer /, ''));
        if (scopes !== undefined && (needed === undefined || covers(scopes, needed))) return undefined;
        const scope = needed === undefined ? '' : `,scope="${needed}"`;
        const why = scopes === undefined ? '' : ',error="insufficient_scope"';
        return unauthorized(`Bearer realm="${named}",service="test"${scope}${why}`);
      },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const refused: Answer = {
  status: 401,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ details: 'incorrect username or password' }),
};

/** Whose credentials these are; empty for none at all, undefined for wrong ones. */
function userOf(
  authorization: string | undefined,
  users: Readonly<Record<string, string>>,
): string | undefined {
  if (authorization === undefined) return '';
  const [name = '', password] = Buffer.from(authorization.replace(/^Basic /, ''), 'base64')
    .toString()
    .split(':');
  return users[name] !== undefined && users[name] === password ? name : undefined;
}

/** What a token must be good for; undefined for requests about no repository. */
function scopeOf({ method, path }: SeenRequest): string | undefined {
  if (path.startsWith('/v2/_catalog')) return 'registry:catalog:*';
  const name = /^\/v2\/(.+)\/(?:manifests|blobs|tags|referrers)\//.exec(path)?.[1];
  if (name === undefined) return undefined;
  if (method === 'DELETE') return `repository:${name}:delete`;
  return `repository:${name}:${method === 'GET' || method === 'HEAD' ? 'pull' : 'pull,push'}`;
}

function covers(scopes: readonly string[], needed: string): boolean {
  const [thing, actions] = split(needed);
  const granted = new Set(scopes.map(split).flatMap(([name, list]) => (name === thing ? list : [])));
  return actions.every((action) => granted.has(action));
}

function split(scope: string): [string, string[]] {
  const at = scope.lastIndexOf(':');
  return [scope.slice(0, at), scope.slice(at + 1).split(',')];
}
