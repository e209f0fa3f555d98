import type { IncomingMessage } from 'node:http';
import { forbidden, internal, unavailable } from '#/base/errors.ts';
import { isInternal } from './addresses.ts';
import { drain } from './body.ts';
import type { TlsSettings } from './certificates.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import { basicAuthorization, type Credentials, type OwnCredentials } from './credentials.ts';
import { RegistryError, registryError } from './failures.ts';
import type { RegistryHost } from './hosts.ts';
import { isListed, realmAdvice } from './realm.ts';
import { requestName, shownUrl } from './shown-url.ts';
import { Tokens } from './tokens.ts';
import { type HttpRequest, peerOf, type Transport } from './transport.ts';

/** A request to a registry, or to where the registry sends us. */
export interface RegistryRequest {
  readonly method: HttpRequest['method'];
  /** Relative to the host's base, or complete. */
  readonly path: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  /** A body that can be sent only once, begun when the request is; then nothing is repeated. */
  readonly stream?: (() => AsyncIterable<Uint8Array>) | undefined;
  /** `repository:PATH:pull`. */
  readonly scopes: readonly string[];
  /** Statuses besides 2xx that are answers and not errors. */
  readonly accept?: readonly number[];
  readonly signal: AbortSignal;
}

/** What connections are made of. */
export interface ConnectionParts {
  readonly transport: Transport;
  /** By `host[:port]`: what is agreed for one host says nothing of others. */
  readonly tlsFor: (host: string) => Promise<TlsSettings>;
  readonly userAgent: string;
}

const maxRedirects = 5;
const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Requests to one host of a registry as one person. Remembers how the host wants to be convinced. */
export class Connection {
  readonly host: RegistryHost;
  readonly #parts: ConnectionParts;
  readonly #credentials: Credentials;
  readonly #tokens: Tokens;
  #challenges: readonly Challenge[] = [];
  #shared: Promise<OwnCredentials> | undefined;

  constructor(host: RegistryHost, credentials: Credentials, parts: ConnectionParts) {
    this.host = host;
    this.#parts = parts;
    this.#credentials = credentials;
    this.#tokens = new Tokens({ ...parts, host }, credentials);
  }

  /**
   * The answer: 2xx or one that is accepted. Redirects of GET and HEAD are followed, without credentials to other hosts. Throws
   * RegistryError, `unavailable` when there is no answer, `unauthorized` and `forbidden`.
   */
  async send(request: RegistryRequest): Promise<IncomingMessage> {
    const url = new URL(request.path, this.host.base);
    // The place for an upload is named by the registry too.
    this.#refuseDowngrade(request, this.host.base, url);
    const response = await (this.#isOwn(url)
      ? this.#ask(request, url)
      : this.#transmit(request, url, undefined));
    const isRedirect = redirects.has(response.statusCode ?? 0);
    const mayFollow = request.method === 'GET' || request.method === 'HEAD';
    return this.#checked(
      request,
      isRedirect && mayFollow ? await this.#follow(request, url, response) : response,
    );
  }

  /** The challenges that the host has answered with. */
  get challenges(): readonly Challenge[] {
    return this.#challenges;
  }

  /** Asks the registry's own host as the one that we are, again if it then says how it wants to be convinced. */
  async #ask(request: RegistryRequest, url: URL): Promise<IncomingMessage> {
    const authorization = await this.#authorization(request);
    const response = await this.#transmit(request, url, authorization);
    if (response.statusCode !== 401 || !this.#adopt(response, authorization)) return response;
    // Others may have got a new token meanwhile; that one stays.
    this.#tokens.forget(authorization?.replace(/^Bearer /, ''));
    if (request.stream !== undefined) return response;
    await drain(response);
    return this.#transmit(request, url, await this.#authorization(request));
  }

  async #transmit(
    request: RegistryRequest,
    url: URL,
    authorization: string | undefined,
  ): Promise<IncomingMessage> {
    const { method, headers, body, stream, signal } = request;
    return this.#parts.transport.send({
      method,
      url,
      headers: {
        'user-agent': this.#parts.userAgent,
        ...headers,
        ...(authorization !== undefined && { authorization }),
      },
      body: stream === undefined ? body : stream(),
      tls: await this.#parts.tlsFor(url.host),
      // Whoever controls a name can have it lead elsewhere from one request to the next.
      admit: authorization === undefined ? undefined : this.#stayOutside(url),
      signal,
    });
  }

  /** Where credentials go: not into an inner network if the registry that asked for them is outside. */
  #stayOutside(url: URL): ((address: string) => void) | undefined {
    const from = this.#challenges[0]?.from;
    if (from === undefined || isInternal(from) || isListed(url, this.host)) return undefined;
    return (address) => {
      if (!isInternal(address)) return;
      throw forbidden(
        `the registry ${this.host.name} leads to ${address} now, an address of an inner network, which it was not before; nothing was sent to "${shownUrl(url)}". ${realmAdvice(url, this.host)}`,
      );
    };
  }

  async #follow(request: RegistryRequest, from: URL, first: IncomingMessage): Promise<IncomingMessage> {
    let response = first;
    let at = from;
    let hasLeft = !this.#isOwn(from);
    for (let hop = 0; redirects.has(response.statusCode ?? 0); hop += 1) {
      if (hop >= maxRedirects)
        throw unavailable(`${requestName(request.method, from)}: more than ${maxRedirects} redirects`);
      const location = response.headers.location ?? '';
      if (location === '' || !URL.canParse(location, at)) {
        throw unavailable(`${requestName(request.method, at)}: redirected to nowhere`);
      }
      await drain(response);
      const next = new URL(location, at);
      this.#refuseDowngrade(request, at, next);
      next.username = '';
      next.password = '';
      at = next;
      // Only what never left the registry's own host may carry what proves who we are.
      hasLeft ||= !this.#isOwn(at);
      response = await (hasLeft ? this.#transmit(request, at, undefined) : this.#ask(request, at));
    }
    return response;
  }

  /** A registry that uses TLS must not send us to where there is none. */
  #refuseDowngrade({ method }: RegistryRequest, from: URL, to: URL): void {
    if (to.protocol === 'https:') return;
    if (to.protocol === 'http:' && (from.protocol === 'http:' || this.host.insecure)) return;
    throw forbidden(
      `${requestName(method, from)}: the registry leads to "${shownUrl(to)}", which does without TLS; nothing was sent there`,
    );
  }

  async #checked(request: RegistryRequest, response: IncomingMessage): Promise<IncomingMessage> {
    const status = response.statusCode ?? 0;
    if ((status >= 200 && status < 300) || request.accept?.includes(status) === true) return response;
    const url = new URL(request.path, this.host.base);
    const what = requestName(request.method, url);
    if (
      status === 401 &&
      this.#credentials.kind === 'anonymous' &&
      this.#offers('basic') &&
      !this.#offers('bearer')
    ) {
      await drain(response);
      throw new RegistryError('unauthorized', `${what}: no basic auth credentials`, { status });
    }
    const error = await registryError(response, what);
    if (status === 401 && this.#isInsufficient(response)) {
      const denied = 'denied: requested access to the resource is denied';
      throw new RegistryError('unauthorized', denied, { status, codes: ['DENIED', ...error.codes] });
    }
    throw error;
  }

  /** Takes note of what an answer of 401 asks for. False: it is nothing that could be done, or has been done in vain. */
  #adopt(response: IncomingMessage, sent: string | undefined): boolean {
    const from = peerOf(response);
    const offered = parseChallenges(response.headers['www-authenticate'] ?? '').map((challenge) => ({
      ...challenge,
      from,
    }));
    this.#challenges = offered;
    const { kind } = this.#credentials;
    if (offered.some(({ scheme }) => scheme === 'bearer')) return kind !== 'registryToken';
    // Several requests can be under way before the first answer tells that they need credentials.
    return this.#offers('basic') && (kind === 'basic' || kind === 'delegated') && sent === undefined;
  }

  async #authorization({ scopes, signal }: RegistryRequest): Promise<string | undefined> {
    const credentials = this.#credentials;
    if (credentials.kind === 'registryToken') return `Bearer ${headerText(credentials.token)}`;
    const bearer = this.#challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer !== undefined) {
      const asked = bearer.parameters.get('scope')?.split(' ') ?? [];
      const all = [...new Set([...scopes, ...asked.filter((scope) => scope !== '')])];
      return `Bearer ${await this.#tokens.get(bearer, mergeScopes(all), signal)}`;
    }
    if (!this.#offers('basic')) return undefined;
    const own = credentials.kind === 'delegated' ? await this.#given(credentials, signal) : credentials;
    return own.kind === 'basic' ? basicAuthorization(own.username, own.password) : undefined;
  }

  /** What a delegate gives away, asked for once. */
  #given(
    { delegate }: Extract<Credentials, { readonly kind: 'delegated' }>,
    signal: AbortSignal,
  ): Promise<OwnCredentials> {
    if (this.#shared === undefined) {
      const shared = delegate.credentials({ signal });
      this.#shared = shared;
      shared.catch(() => {
        if (this.#shared === shared) this.#shared = undefined;
      });
    }
    return this.#shared;
  }

  #offers(scheme: string): boolean {
    return this.#challenges.some((challenge) => challenge.scheme === scheme);
  }

  #isInsufficient({ headers }: IncomingMessage): boolean {
    return parseChallenges(headers['www-authenticate'] ?? '').some(
      ({ parameters }) => parameters.get('error') === 'insufficient_scope',
    );
  }

  #isOwn(url: URL): boolean {
    return url.origin === this.host.base.origin;
  }
}

/** One scope for each thing, with all actions that are wanted on it. */
export function mergeScopes(scopes: readonly string[]): string[] {
  const actions = new Map<string, Set<string>>();
  for (const scope of scopes) {
    const at = scope.lastIndexOf(':');
    const thing = scope.slice(0, at);
    const known = actions.get(thing) ?? new Set<string>();
    for (const action of scope.slice(at + 1).split(',')) known.add(action);
    actions.set(thing, known);
  }
  return [...actions].map(([thing, wanted]) => `${thing}:${[...wanted].toSorted().join(',')}`).toSorted();
}

function headerText(token: string): string {
  if (!/^[\x21-\x7e]+$/.test(token))
    throw internal('the registry token has characters that a header cannot have');
  return token;
}
