import { EngineError, unavailable } from '#/base/errors.ts';
import { type Field, parseJson } from '#/oci/json.ts';
import { readBody } from './body.ts';
import type { TlsSettings } from './certificates.ts';
import type { Challenge } from './challenge.ts';
import { basicAuthorization, type Credentials, type OwnCredentials } from './credentials.ts';
import { registryError } from './failures.ts';
import type { RegistryHost } from './hosts.ts';
import { realmGuard, realmOf } from './realm.ts';
import type { Transport } from './transport.ts';

/** A token and until when it is good. */
interface Token {
  readonly text: string;
  /** Milliseconds, as `Date.now`. */
  readonly expires: number;
}

/** What a token service gave. */
export interface IssuedToken {
  readonly token: string;
  /** Empty if the service gives none. */
  readonly identityToken: string;
}

/** Whom a token is asked for, and by what means. */
export interface TokenParts {
  readonly transport: Transport;
  readonly host: RegistryHost;
  /** For the service; its own certificates are those of its own host. */
  readonly tlsFor: (host: string) => Promise<TlsSettings>;
  readonly userAgent: string;
}

const clientId = 'skiff';
const maxTokenBytes = 1024 * 1024;
/** What a token is good for where the service does not say, in seconds (distribution: "Token Authentication"). */
const defaultLife = 60;
/** It is not used in its last seconds: the registry's clock may be ahead. */
const margin = 10;

/** Tokens of one registry's service, by what they are good for. */
export class Tokens {
  readonly #parts: TokenParts;
  readonly #credentials: Credentials;
  readonly #kept = new Map<string, Token>();
  readonly #coming = new Map<string, Promise<Token>>();

  constructor(parts: TokenParts, credentials: Credentials) {
    this.#parts = parts;
    this.#credentials = credentials;
  }

  /** A token for the scopes, kept as long as it is good. Requests at the same time share one. */
  async get(challenge: Challenge, scopes: readonly string[], signal: AbortSignal): Promise<string> {
    const key = JSON.stringify([
      challenge.parameters.get('realm'),
      challenge.parameters.get('service'),
      scopes,
    ]);
    for (;;) {
      const kept = this.#kept.get(key);
      if (kept !== undefined && kept.expires > Date.now()) return kept.text;
      const coming = this.#coming.get(key);
      if (coming === undefined)
        return (await this.#fetch(key, () => this.#ask(challenge, scopes, signal))).text;
      const token = await coming.catch((error: unknown) => {
        if (error instanceof EngineError) throw error;
        // Whoever asked has left: then the next one asks.
        return undefined;
      });
      signal.throwIfAborted();
      if (token !== undefined) return token.text;
    }
  }

  async #fetch(key: string, ask: () => Promise<Token>): Promise<Token> {
    const asked = ask();
    this.#coming.set(key, asked);
    try {
      const token = await asked;
      this.#kept.set(key, token);
      return token;
    } finally {
      this.#coming.delete(key);
    }
  }

  /** Forgets a token that the registry has refused. */
  forget(refused: string | undefined): void {
    for (const [key, { text }] of this.#kept) if (text === refused) this.#kept.delete(key);
  }

  async #ask(challenge: Challenge, scopes: readonly string[], signal: AbortSignal): Promise<Token> {
    const credentials = this.#credentials;
    if (credentials.kind !== 'delegated') return this.#askAs(credentials, { challenge, scopes, signal });
    const { delegate } = credentials;
    const realm = realmOf(challenge, this.#parts.host, credentials);
    const service = challenge.parameters.get('service');
    const got = await delegate.token({ realm, service, scopes }, { signal });
    if (got !== undefined) return tokenFor(checkedToken(got.token, realm), got.life);
    return this.#askAs(await delegate.credentials({ signal }), { challenge, scopes, signal });
  }

  async #askAs(
    credentials: OwnCredentials,
    request: { challenge: Challenge; scopes: readonly string[]; signal: AbortSignal },
  ): Promise<Token> {
    const { document, url } = await requestToken(this.#parts, { ...request, credentials, offline: false });
    const life = document.get('expires_in').optional((field) => field.count()) ?? defaultLife;
    return tokenFor(tokenIn(document, url), life);
  }
}

function tokenFor(text: string, life: number): Token {
  const seconds = Math.max(life, defaultLife) - margin;
  return { text, expires: Date.now() + seconds * 1000 };
}

/** Logs in at a token service; the identity token that it gives can be kept instead of the password. */
export async function issueIdentityToken(
  parts: TokenParts,
  request: { credentials: OwnCredentials; challenge: Challenge; signal: AbortSignal },
): Promise<IssuedToken> {
  const { document, url } = await requestToken(parts, { ...request, scopes: [], offline: true });
  const identityToken = document.get('refresh_token').optional((field) => field.string()) ?? '';
  return { token: tokenIn(document, url), identityToken };
}

interface TokenRequest {
  readonly credentials: OwnCredentials;
  readonly challenge: Challenge;
  readonly scopes: readonly string[];
  /** Also ask for a token that outlives this session. */
  readonly offline: boolean;
  readonly signal: AbortSignal;
}

/** Asks as distribution's "Token Authentication" (GET) or "OAuth2 Token Authentication" (POST, for identity tokens) say. */
async function requestToken(
  parts: TokenParts,
  request: TokenRequest,
): Promise<{ document: Field; url: URL }> {
  const { transport, host, tlsFor, userAgent } = parts;
  const { credentials, challenge, scopes, offline, signal } = request;
  const url = realmOf(challenge, host, credentials);
  const admit = realmGuard(url, host, challenge);
  const service = challenge.parameters.get('service');
  const common = { 'user-agent': userAgent, accept: 'application/json' };
  const tls = await tlsFor(url.host);
  let response: Awaited<ReturnType<Transport['send']>>;
  if (credentials.kind === 'identityToken') {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: credentials.token,
      client_id: clientId,
      ...(service !== undefined && { service }),
      ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    });
    const body = Buffer.from(form.toString());
    const headers = {
      ...common,
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': String(body.length),
    };
    response = await transport.send({ method: 'POST', url, headers, body, tls, admit, signal });
  } else {
    if (service !== undefined) url.searchParams.set('service', service);
    for (const scope of scopes) url.searchParams.append('scope', scope);
    if (offline) {
      url.searchParams.set('offline_token', 'true');
      url.searchParams.set('client_id', clientId);
    }
    const isBasic = credentials.kind === 'basic';
    if (isBasic) url.searchParams.set('account', credentials.username);
    const headers = {
      ...common,
      ...(isBasic && { authorization: basicAuthorization(credentials.username, credentials.password) }),
    };
    response = await transport.send({ method: 'GET', url, headers, tls, admit, signal });
  }
  // A redirect would take credentials to a host that nobody has vouched for: it counts as a failure.
  if (response.statusCode !== 200)
    throw await registryError(response, `asking for a token at ${originOf(url)}`);
  const body = await readBody(response, { maxBytes: maxTokenBytes });
  return { document: parseJson(body, { what: `answer of ${originOf(url)}`, maxBytes: maxTokenBytes }), url };
}

function tokenIn(document: Field, url: URL): string {
  const token =
    document.get('token').optional((field) => field.string()) ??
    document.get('access_token').optional((field) => field.string()) ??
    '';
  return checkedToken(token, url);
}

function checkedToken(token: string, url: URL): string {
  // What is not printable ASCII without spaces cannot stand in a header.
  if (!/^[\x21-\x7e]+$/.test(token)) throw unavailable(`${originOf(url)} answered without a token`);
  return token;
}

function originOf(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
