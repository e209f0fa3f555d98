import type { IncomingMessage } from 'node:http';
import { isKind } from '#/base/errors.ts';
import type { Access, Decision, User, Wanted } from '../access.ts';
import type { AuthConfig } from '../config/auth.ts';
import { unauthorized } from '../errors.ts';
import { parseAuthorization } from './authorization-header.ts';
import { formatScope, type Grant, grantsCatalog, grantsVerb } from './grants.ts';
import type { Htpasswd } from './htpasswd.ts';
import { originOf } from './origin.ts';
import { Rules, type RuleVerb } from './rules.ts';
import type { OwnTokens, TokenVerifier } from './tokens.ts';

/** Who sent a request, and how a challenge to them must look. */
export interface Caller extends User {
  /** `` for somebody unknown. */
  readonly name: string;
  readonly groups: readonly string[];
  /** What the bearer token grants at most; undefined: the request has none, so only rules count. */
  readonly grants: readonly Grant[] | undefined;
  /** `https://registry.example`: how the client sees this registry. */
  readonly origin: string;
}

/** What `AccessControl` checks with. */
export interface AccessInput {
  readonly config: AuthConfig;
  /** How clients see this registry, if not as their requests say. */
  readonly url: URL | undefined;
  readonly htpasswd: Htpasswd | undefined;
  /** Of somebody else's service or our own. */
  readonly tokens: TokenVerifier | undefined;
}

/** The path of our own token endpoint. */
export const tokenPath = '/auth/token';

/**
 * Decides who sent a request and what they may do. A bearer token is an upper bound: whatever it grants, the rules must
 * allow too, so that a changed rule counts at once. Users of a token service for whom no rules are written may do what the
 * token grants, because without `auth.rules` whoever is known may do everything.
 */
export class AccessControl implements Access {
  readonly #config: AuthConfig;
  readonly #rules: Rules;
  readonly #input: AccessInput;

  constructor(input: AccessInput) {
    const { config } = input;
    this.#config = config;
    this.#input = input;
    this.#rules = config.kind === 'none' ? new Rules([], new Map()) : new Rules(config.rules, config.groups);
  }

  async identify(request: IncomingMessage): Promise<Caller> {
    const origin = originOf(request, this.#input.url);
    const nobody: Caller = { name: '', groups: [], grants: undefined, origin };
    if (this.#config.kind === 'none') return nobody;
    const refuse = (message: string): Error =>
      unauthorized(message, this.#challenge(nobody, [], 'invalid_token'));
    const given = parseAuthorization(request.headers.authorization);
    switch (given.kind) {
      case 'none':
        return nobody;
      case 'malformed':
        throw refuse(`cannot understand the Authorization header: ${given.problem}`);
      case 'basic':
        return await this.login(request, given);
      case 'bearer':
        try {
          const claims = await this.#input.tokens?.verify(given.token);
          if (claims === undefined) throw refuse('this registry takes no bearer tokens');
          return { ...nobody, name: claims.user ?? '', groups: claims.groups, grants: claims.grants };
        } catch (error) {
          if (isKind(error, 'unauthorized')) throw refuse(error.message);
          throw error;
        }
    }
  }

  /** Who has this name and this password. Throws UNAUTHORIZED. */
  async login(
    request: IncomingMessage,
    { username, password }: { readonly username: string; readonly password: string },
  ): Promise<Caller> {
    const origin = originOf(request, this.#input.url);
    const caller: Caller = { name: username, groups: [], grants: undefined, origin };
    const known = username !== '' && (await this.#input.htpasswd?.check(username, password)) === true;
    if (known) return caller;
    const challenge = this.#challenge(caller, [], 'invalid_token');
    throw unauthorized('the user name or the password is wrong', challenge);
  }

  decide(user: User | undefined, { verb, repository }: Wanted): Decision {
    const config = this.#config;
    if (config.kind === 'none') return { allowed: true };
    const caller = callerOf(user);
    const isKnown = caller.name !== '' || caller.grants !== undefined;
    switch (verb) {
      case 'ping':
        // Somebody unknown is always asked who they are, or clients would never say it.
        return isKnown ? { allowed: true } : this.#denied(caller, []);
      case 'admin': {
        const allowed =
          caller.grants === undefined && config.admins.includes(caller.name) && caller.name !== '';
        return allowed ? { allowed } : this.#denied(caller, []);
      }
      case 'list':
        if (repository === undefined) return this.#decideCatalog(caller);
        return this.#decideRepository(caller, 'list', repository);
      case 'pull':
      case 'push':
      case 'delete':
        if (repository === undefined) return { allowed: false };
        return this.#decideRepository(caller, verb, repository);
    }
  }

  /** Of what a caller asks our own token endpoint for, what it may have. */
  grantable(caller: Caller, wanted: readonly Grant[]): readonly Grant[] {
    return wanted.flatMap((grant) => {
      if (grant.type === 'registry' && grant.name === 'catalog') {
        return grant.actions.includes('*') ? [{ ...grant, actions: ['*'] }] : [];
      }
      if (grant.type !== 'repository') return [];
      const asked = grant.actions.includes('*') ? ['pull', 'push', 'delete'] : grant.actions;
      const actions = asked.filter(
        (action) => isVerb(action) && this.#rulesAllow(caller, action, grant.name),
      );
      return actions.length === 0 ? [] : [{ ...grant, actions }];
    });
  }

  #decideRepository(caller: Caller, verb: RuleVerb, repository: string): Decision {
    const scope = { type: 'repository', name: repository, actions: actionsOf(verb) };
    if (!this.#rulesAllow(caller, verb, repository)) return this.#denied(caller, [scope]);
    const { grants } = caller;
    const isGranted =
      grants === undefined ||
      grantsVerb(grants, verb, repository) ||
      // Who may see the catalog may see every name in it that the rules show.
      (verb === 'list' && grantsCatalog(grants));
    return isGranted ? { allowed: true } : this.#insufficient(caller, scope);
  }

  #decideCatalog(caller: Caller): Decision {
    const scope = { type: 'registry', name: 'catalog', actions: ['*'] };
    const { grants } = caller;
    if (grants !== undefined)
      return grantsCatalog(grants) ? { allowed: true } : this.#insufficient(caller, scope);
    const isOpen =
      this.#config.kind === 'some' && this.#config.rules.some(({ who }) => who.includes('anyone'));
    return caller.name !== '' || isOpen ? { allowed: true } : this.#denied(caller, [scope]);
  }

  #rulesAllow(caller: Caller, verb: RuleVerb, repository: string): boolean {
    // A token service may let somebody in whose name it does not say.
    const isNamed = caller.name !== '' || (caller.grants !== undefined && this.#isForeign);
    return this.#rules.allows(
      { user: isNamed ? caller.name : undefined, groups: caller.groups },
      verb,
      repository,
    );
  }

  /** The rules do not allow it: whoever is known hears "no", others are asked who they are. */
  #denied(caller: Caller, scopes: readonly Grant[]): Decision {
    if (caller.name !== '') return { allowed: false };
    return { allowed: false, challenge: this.#challenge(caller, scopes, undefined) };
  }

  /** The rules allow it, but the token is for something else: the client gets another one. */
  #insufficient(caller: Caller, scope: Grant): Decision {
    return { allowed: false, challenge: this.#challenge(caller, [scope], 'insufficient_scope') };
  }

  /** The value of `WWW-Authenticate` (RFC 9110, section 11.6.1; RFC 6750, section 3). */
  #challenge({ origin }: Caller, scopes: readonly Grant[], error: string | undefined): string {
    const config = this.#config;
    if (config.kind === 'none') return 'Basic realm="Registry"';
    const issuer = config.token ?? config.issue;
    if (issuer === undefined) return `Basic realm="${config.realm}", charset="UTF-8"`;
    const realm = config.token === undefined ? `${origin}${tokenPath}` : config.token.url.href;
    const parts = [`realm="${realm}"`, `service="${issuer.service}"`];
    if (scopes.length > 0) parts.push(`scope="${scopes.map(formatScope).join(' ')}"`);
    if (error !== undefined) parts.push(`error="${error}"`);
    return `Bearer ${parts.join(',')}`;
  }

  get #isForeign(): boolean {
    return this.#config.kind === 'some' && this.#config.token !== undefined;
  }
}

/** Issues tokens as Docker's token specification has it (distribution, "Token Authentication Specification"). */
export async function issueToken(
  { access, tokens }: { access: AccessControl; tokens: OwnTokens },
  { caller, wanted }: { caller: Caller; wanted: readonly Grant[] },
): Promise<TokenAnswer> {
  const user = caller.name === '' ? undefined : caller.name;
  const { token, issuedAt } = await tokens.issue(user, access.grantable(caller, wanted));
  return {
    token,
    access_token: token,
    expires_in: Math.ceil(tokens.lifetime / 1000),
    issued_at: issuedAt.toISOString(),
  };
}

/** The answer of a token endpoint; both names of the token are in use. */
export interface TokenAnswer {
  readonly token: string;
  readonly access_token: string;
  /** Seconds. */
  readonly expires_in: number;
  readonly issued_at: string;
}

/** The caller that `identify` found, out of what the server keeps of it. */
export function callerOf(user: User | undefined): Caller {
  if (user !== undefined && 'origin' in user) return user as Caller;
  return { name: user?.name ?? '', groups: [], grants: undefined, origin: '' };
}

/** Clients that push also look at what is there. */
function actionsOf(verb: RuleVerb): readonly string[] {
  if (verb === 'push') return ['pull', 'push'];
  return verb === 'list' ? ['pull'] : [verb];
}

function isVerb(action: string): action is RuleVerb {
  return action === 'pull' || action === 'push' || action === 'delete' || action === 'list';
}
