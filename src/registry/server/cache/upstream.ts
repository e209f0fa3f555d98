import { EngineError, isKind, messageOf } from '#/base/errors.ts';
import { skiffVersion } from '#/base/version.ts';
import { RegistryClient } from '#/distribution/registry-client.ts';
import type { Repository } from '#/distribution/repository.ts';
import type { CacheConfig } from '../config/edges.ts';
import { unavailable } from '../errors.ts';

/** Names under which Docker Hub is known, in references and where it answers. */
const hubHosts: ReadonlySet<string> = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);
const hub = 'docker.io';
const maxRepositories = 1000;

/** One upstream of the configuration: which of our names are its, and how it is asked. */
export class Upstream implements Disposable {
  readonly config: CacheConfig;
  /** As in references: `docker.io`, `ghcr.example:443`. */
  readonly domain: string;
  readonly #client: RegistryClient;
  /** By our name; each remembers which address answers, and its tokens. Least recently used first. */
  readonly #repositories = new Map<string, Repository>();

  constructor(config: CacheConfig) {
    this.config = config;
    const { host, protocol } = config.upstream;
    this.domain = hubHosts.has(host) ? hub : host;
    this.#client = new RegistryClient({
      hosts: {
        mirrors: [],
        routes: {},
        insecure: protocol === 'http:' ? [host] : [],
        certificateDirectories: config.certificates === undefined ? [] : [config.certificates],
      },
      userAgent: `skiff-registry/${skiffVersion}`,
      // Clients wait: what is there is better than a late answer.
      maxAttempts: 2,
      retryDelay: 250,
    });
  }

  /** Whether the name is below the prefix. */
  covers(repository: string): boolean {
    const { prefix } = this.config;
    return prefix === '' || repository.startsWith(`${prefix}/`);
  }

  /** Our name for one of the upstream's repositories. */
  localName(path: string): string {
    const { prefix } = this.config;
    return prefix === '' ? path : `${prefix}/${path}`;
  }

  /** The repository at the upstream, as the user of the configuration; our clients' credentials never get there. */
  repository(local: string): Repository {
    const found = this.#repositories.get(local) ?? this.#open(local);
    this.#repositories.delete(local);
    this.#repositories.set(local, found);
    const oldest = this.#repositories.keys().next().value;
    if (this.#repositories.size > maxRepositories && oldest !== undefined) this.#repositories.delete(oldest);
    return found;
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }

  #open(local: string): Repository {
    const { prefix, credentials } = this.config;
    const path = prefix === '' ? local : local.slice(prefix.length + 1);
    return this.#client.repository(
      { domain: this.domain, path: this.domain === hub && !path.includes('/') ? `library/${path}` : path },
      {
        credentials: credentials === undefined ? { kind: 'anonymous' } : { kind: 'basic', ...credentials },
        actions: 'pull',
      },
    );
  }
}

/**
 * Whether an upstream's refusal says that there is no such thing. Docker Hub says "unauthorized" of repositories that do not
 * exist; our client's own credentials have nothing to do with it.
 */
export function isAbsentUpstream(error: unknown): boolean {
  return isKind(error, 'notFound') || isKind(error, 'unauthorized') || isKind(error, 'forbidden');
}

/** What our client is told when the upstream could not help. */
export function upstreamFailure({ domain }: Upstream, error: unknown): unknown {
  if (error instanceof Error && error.name === 'TimeoutError') {
    return unavailable(`the upstream ${domain} does not answer`);
  }
  if (!(error instanceof EngineError) || error.kind === 'tooLarge') return error;
  return unavailable(`the upstream ${domain} does not give what was asked for: ${messageOf(error)}`);
}
