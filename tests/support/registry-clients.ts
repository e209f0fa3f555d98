import type { Credentials } from '#/distribution/credentials.ts';
import type { HostSettings } from '#/distribution/hosts.ts';
import {
  RegistryClient,
  type RegistryClientOptions,
  type RepositoryActions,
} from '#/distribution/registry-client.ts';
import type { Repository } from '#/distribution/repository.ts';

/** What a test may say of its client. */
export interface TestClientOptions extends Partial<Omit<RegistryClientOptions, 'hosts'>> {
  readonly hosts?: Partial<HostSettings>;
}

/** A client that does not wait between its tries. */
export function openClient({ hosts, ...more }: TestClientOptions = {}): RegistryClient {
  return new RegistryClient({
    hosts: { mirrors: [], routes: {}, insecure: [], certificateDirectories: [], ...hosts },
    userAgent: 'skiff/test',
    maxAttempts: 3,
    retryDelay: 1,
    ...more,
  });
}

/** The repository `name` of a host, to pull from and push to as somebody. */
export function repositoryOf(
  client: RegistryClient,
  name: string,
  {
    credentials = { kind: 'anonymous' },
    actions = 'pull',
  }: { credentials?: Credentials; actions?: RepositoryActions } = {},
): Repository {
  const slash = name.indexOf('/');
  const reference = { domain: name.slice(0, slash), path: name.slice(slash + 1) };
  return client.repository(reference, { credentials, actions });
}

/** A signal that never comes, fresh each time. */
export function never(): AbortSignal {
  return new AbortController().signal;
}
