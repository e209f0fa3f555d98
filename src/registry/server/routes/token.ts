import { messageOf } from '#/base/errors.ts';
import { type AccessControl, callerOf, issueToken, tokenPath } from '../access/access-control.ts';
import { parseScopes } from '../access/grants.ts';
import type { OwnTokens } from '../access/tokens.ts';
import type { Call } from '../call.ts';
import { tooLarge, unsupported } from '../errors.ts';
import type { ExtraRoute } from '../server.ts';

const maxForm = 64 * 1024;

/** What the token endpoint needs; read at each request, because a reload changes it. */
export interface TokenIssuer {
  readonly access: AccessControl;
  readonly tokens: OwnTokens;
}

/**
 * Our own token endpoint: GET as in distribution's "Token Authentication Specification", POST as in its "OAuth2 Token
 * Authentication" with the user's password. `issuer` returns undefined when tokens come from elsewhere or are not in use.
 */
export function tokenRoute(issuer: () => TokenIssuer | undefined): ExtraRoute {
  const using = (): TokenIssuer => {
    const found = issuer();
    if (found === undefined) throw unsupported('this registry issues no tokens');
    return found;
  };
  return {
    path: tokenPath,
    methods: {
      GET: async (call) => {
        const found = using();
        const wanted = scopesOf(call.query);
        answer(call, await issueToken(found, { caller: callerOf(call.user), wanted }));
      },
      POST: async (call) => {
        const found = using();
        const form = await readForm(call);
        const grantType = form.get('grant_type');
        if (grantType !== 'password') {
          throw unsupported(`grant_type ${JSON.stringify(grantType)} is not supported here, only "password"`);
        }
        const [username, password] = [form.get('username') ?? '', form.get('password') ?? ''];
        const wanted = scopesOf(form);
        const caller = await found.access.login(call.request, { username, password });
        const scope = wanted
          .map(({ type, name, actions }) => `${type}:${name}:${actions.join(',')}`)
          .join(' ');
        answer(call, { ...(await issueToken(found, { caller, wanted })), scope });
      },
    },
  };
}

function answer(call: Call, token: object): void {
  call.json(token, { 'Cache-Control': 'no-store' });
}

function scopesOf(parameters: URLSearchParams): ReturnType<typeof parseScopes> {
  try {
    return parseScopes(parameters.getAll('scope'));
  } catch (error) {
    throw unsupported(messageOf(error));
  }
}

async function readForm(call: Call): Promise<URLSearchParams> {
  const pieces: Buffer[] = [];
  let size = 0;
  call.proceed();
  for await (const piece of call.request as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > maxForm) throw tooLarge(`a token request may have ${maxForm} bytes`);
    pieces.push(piece);
  }
  return new URLSearchParams(Buffer.concat(pieces).toString());
}
