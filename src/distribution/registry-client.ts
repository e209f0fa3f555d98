import { EngineError, messageOf } from '#/base/errors.ts';
import { drain, readBody } from './body.ts';
import { loadCertificates, type TlsSettings } from './certificates.ts';
import { Connection, type ConnectionParts } from './connection.ts';
import type { Credentials } from './credentials.ts';
import { RegistryError } from './failures.ts';
import { type HostSettings, hostsFor, isInsecure, type RegistryHost, rewrittenPath } from './hosts.ts';
import { listPages } from './pages.ts';
import type { Proxies } from './proxies.ts';
import { Repository } from './repository.ts';
import { Route } from './route.ts';
import { type SearchResult, searchRegistry } from './search.ts';
import { requestName, shownUrl } from './shown-url.ts';
import { issueIdentityToken } from './tokens.ts';
import { type Patience, Transport } from './transport.ts';

/** How registries are reached. */
export interface RegistryClientOptions {
  readonly hosts: HostSettings;
  /** `name/version`. */
  readonly userAgent: string;
  readonly proxies?: Proxies;
  /** How often a request is tried; default 5. */
  readonly maxAttempts?: number;
  readonly patience?: Patience;
  /** Before the second try, in milliseconds; default 500. */
  readonly retryDelay?: number;
}

/** What may be done with a repository. */
export type RepositoryActions = 'pull' | 'pull,push' | 'pull,push,delete';

/** A login that succeeded. */
export interface LoginResult {
  readonly status: 'Login Succeeded';
  /** To be kept instead of the password; empty if the registry gives none. */
  readonly identityToken: string;
}

const maxReportBytes = 64 * 1024 * 1024;

interface Asker {
  readonly credentials: Credentials;
  readonly signal: AbortSignal;
}

/** Speaks to registries (OCI distribution-spec 1.1, Docker's registry API 2). Connections are kept and shared. */
export class RegistryClient implements Disposable {
  readonly #options: RegistryClientOptions;
  readonly #transport: Transport;
  readonly #tls = new Map<string, Promise<TlsSettings>>();
  /** Where registries have answered, with TLS or without, by their names. */
  readonly #answered = new Map<string, string>();

  constructor(options: RegistryClientOptions) {
    this.#options = options;
    this.#transport = new Transport(options.proxies ?? { http: '', https: '', no: '' }, options.patience);
  }

  /** One that takes these registries as they are: without TLS, or with a certificate that nobody vouches for. It is the caller's. */
  trusting(domains: readonly string[]): RegistryClient {
    const { hosts } = this.#options;
    return new RegistryClient({
      ...this.#options,
      hosts: { ...hosts, insecure: [...hosts.insecure, ...domains] },
    });
  }

  /** One repository, for what `actions` allow. Pulls go to mirrors first. */
  repository(
    { domain, path }: { readonly domain: string; readonly path: string },
    { credentials, actions }: { credentials: Credentials; actions: RepositoryActions },
  ): Repository {
    const real = rewrittenPath(domain, path, this.#options.hosts);
    const scopes = [`repository:${real}:${actions}`];
    const prefix = `v2/${real}/`;
    return new Repository(this.#route(domain, { credentials, prefix, scopes, mirrors: actions === 'pull' }));
  }

  /** Tells whether the registry accepts the credentials; throws `unauthorized`. */
  async login(domain: string, { credentials, signal }: Asker): Promise<LoginResult> {
    const hosts = await hostsFor(domain, this.#options.hosts, { mirrors: false });
    const connections = hosts.map((host) => new Connection(host, credentials, this.#connectionParts));
    const route = new Route({
      connect: () => Promise.resolve({ own: connections, mirrors: [] }),
      prefix: 'v2/',
      scopes: [],
      attempts: 1,
      delay: 0,
    });
    try {
      await route.once(signal, async (send) => drain(await send({ method: 'GET', path: '' })));
    } catch (error) {
      throw loginFailure(error, connections);
    }
    for (const connection of connections) {
      const bearer = connection.challenges.find(({ scheme }) => scheme === 'bearer');
      if (bearer === undefined || credentials.kind !== 'basic') continue;
      const parts = {
        ...this.#connectionParts,
        host: connection.host,
      };
      const { identityToken } = await issueIdentityToken(parts, { credentials, challenge: bearer, signal });
      return { status: 'Login Succeeded', identityToken };
    }
    return { status: 'Login Succeeded', identityToken: '' };
  }

  /** What a registry finds for a term. Throws if it cannot search. */
  async search(
    domain: string,
    term: string,
    { limit, credentials, signal }: Asker & { limit: number },
  ): Promise<SearchResult[]> {
    return searchRegistry({
      domain,
      term,
      limit,
      signal,
      routeTo: (hosts) => this.#routeTo(hosts, { credentials, prefix: '', scopes: [] }),
      settings: this.#options.hosts,
    });
  }

  /** The names of all repositories that the registry shows. */
  async *catalog(domain: string, { credentials, signal }: Asker): AsyncGenerator<string, void, undefined> {
    const route = this.#route(domain, {
      credentials,
      prefix: 'v2/',
      scopes: ['registry:catalog:*'],
      mirrors: false,
    });
    yield* listPages(route, { path: '_catalog?n=1000', member: 'repositories', signal });
  }

  /**
   * Has a skiff-registry collect its garbage, or tell what it would do; its report as JSON. Throws RegistryError, with the status
   * 404 or 405 if it is another kind of registry.
   */
  async collectGarbage(
    domain: string,
    { dryRun, credentials, signal }: Asker & { dryRun: boolean },
  ): Promise<string> {
    const scopes = ['registry:catalog:*'];
    const route = this.#route(domain, { credentials, prefix: '', scopes, mirrors: false });
    // Not again if it fails: a collection that goes on is not to be begun a second time.
    return route.once(signal, async (send) => {
      const path = `skiff/v1/gc?dry-run=${dryRun ? 1 : 0}`;
      const response = await send({ method: 'POST', path, headers: { 'content-length': '0' } });
      return (await readBody(response, { maxBytes: maxReportBytes })).toString();
    });
  }

  [Symbol.dispose](): void {
    this.#transport[Symbol.dispose]();
  }

  #route(
    domain: string,
    { mirrors, ...rest }: { credentials: Credentials; prefix: string; scopes: string[]; mirrors: boolean },
  ): Route {
    return this.#routeTo(() => hostsFor(domain, this.#options.hosts, { mirrors }), rest);
  }

  #routeTo(
    resolve: () => Promise<readonly RegistryHost[]>,
    { credentials, prefix, scopes }: { credentials: Credentials; prefix: string; scopes: string[] },
  ): Route {
    const { maxAttempts = 5, retryDelay = 500 } = this.#options;
    const connect = (host: RegistryHost): Connection =>
      // The credentials are for the registry: a mirror belongs to somebody else.
      new Connection(host, host.isMirror ? { kind: 'anonymous' } : credentials, this.#connectionParts);
    return new Route({
      connect: async () => {
        const hosts = await resolve();
        const own = hosts.filter(({ isMirror }) => !isMirror);
        // A registry without TLS need not be asked for it each time.
        const first = own.findIndex(({ name, base }) => this.#answered.get(name) === base.origin);
        if (first > 0) own.unshift(...own.splice(first, 1));
        return {
          own: own.map(connect),
          mirrors: hosts.filter(({ isMirror }) => isMirror).map(connect),
        };
      },
      onAnswer: ({ name, base }) => this.#answered.set(name, base.origin),
      prefix,
      scopes,
      attempts: maxAttempts,
      delay: retryDelay,
    });
  }

  get #connectionParts(): ConnectionParts {
    const { userAgent } = this.#options;
    return {
      transport: this.#transport,
      userAgent,
      tlsFor: (host) => this.#tlsFor(host),
    };
  }

  /** Certificates are read once for each host; what cannot be read is tried again. */
  #tlsFor(host: string): Promise<TlsSettings> {
    let loading = this.#tls.get(host);
    if (loading === undefined) {
      loading = this.#loadTls(host);
      this.#tls.set(host, loading);
      loading.catch(() => this.#tls.delete(host));
    }
    return loading;
  }

  async #loadTls(host: string): Promise<TlsSettings> {
    const { hosts } = this.#options;
    const [loaded, insecure] = await Promise.all([
      loadCertificates(host, hosts.certificateDirectories),
      isInsecure(host, hosts),
    ]);
    return { ...loaded, verify: !insecure };
  }
}

/** Docker's words for credentials that a registry, or the service that gives out its tokens, has refused. */
function loginFailure(error: unknown, connections: readonly Connection[]): unknown {
  if (!isRefusal(error, 401)) return error;
  const asked = connections.find(({ challenges }) => challenges.length > 0);
  if (asked === undefined) return error;
  const url = new URL('v2/', asked.host.base);
  const message = asked.challenges.some(({ scheme }) => scheme === 'bearer')
    ? `${requestName('GET', url)}: ${messageOf(error)}`
    : `login attempt to ${shownUrl(url)} failed with status: 401 Unauthorized`;
  return new EngineError('unauthorized', message, { cause: error });
}

/** Tells whether the registry itself refused, with a status. */
export function isRefusal(error: unknown, status: number): boolean {
  return error instanceof RegistryError && error.status === status;
}
