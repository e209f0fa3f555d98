import { randomUUID } from 'node:crypto';
import type { Fact } from '../observer.ts';

/** The media type of what is sent (CNCF distribution, "Notifications"). */
export const eventsMediaType = 'application/vnd.docker.distribution.events.v2+json';

/** One event in the form that CNCF distribution gave it. */
export interface RegistryEvent {
  readonly id: string;
  readonly timestamp: string;
  readonly action: 'push' | 'pull' | 'mount' | 'delete';
  readonly target: {
    readonly mediaType?: string;
    readonly digest?: string;
    readonly size?: number;
    /** The same as `size`; readers of older events want it. */
    readonly length?: number;
    readonly repository: string;
    readonly fromRepository?: string;
    readonly url?: string;
    readonly tag?: string;
  };
  readonly request: { readonly id: string; readonly addr?: string; readonly useragent?: string };
  readonly actor: { readonly name?: string };
  readonly source: { readonly addr: string; readonly instanceID: string };
}

/** Who tells. */
export interface EventSource {
  /** Host and port of the registry as others see it. */
  readonly address: string;
  /** Different for each process. */
  readonly instance: string;
  /** In front of `/v2/…`; undefined: no URLs. */
  readonly origin: string | undefined;
}

type Content = Extract<Fact, { readonly actor: unknown; readonly repository: string }>;
type Target = RegistryEvent['target'];

/** The events for a fact: none for what nobody is told, one for each tag of a manifest that was pushed. */
export function eventsOf(fact: Fact, source: EventSource): readonly RegistryEvent[] {
  switch (fact.kind) {
    case 'request':
    case 'collected':
      return [];
    case 'manifestPushed': {
      const tags = fact.tags.length === 0 ? [undefined] : fact.tags;
      return tags.map((tag) => event('push', fact, { source, target: manifestTarget(fact, source, tag) }));
    }
    case 'manifestPulled':
      return [event('pull', fact, { source, target: manifestTarget(fact, source, fact.tag) })];
    case 'manifestDeleted':
      return [
        event('delete', fact, { source, target: { digest: fact.digest, repository: fact.repository } }),
      ];
    case 'tagDeleted':
      return [event('delete', fact, { source, target: { tag: fact.tag, repository: fact.repository } })];
    case 'blobPushed':
      return [event('push', fact, { source, target: blobTarget(fact, source) })];
    case 'blobMounted':
      return [
        event('mount', fact, { source, target: { ...blobTarget(fact, source), fromRepository: fact.from } }),
      ];
    case 'blobPulled':
      return [event('pull', fact, { source, target: blobTarget(fact, source) })];
    case 'blobDeleted':
      return [
        event('delete', fact, { source, target: { digest: fact.digest, repository: fact.repository } }),
      ];
  }
}

interface Sized {
  readonly repository: string;
  readonly digest: string;
  readonly size: number;
}

function manifestTarget(
  { repository, digest, size, mediaType }: Sized & { readonly mediaType: string },
  { origin }: EventSource,
  tag: string | undefined,
): Target {
  return {
    mediaType,
    digest,
    size,
    length: size,
    repository,
    ...(origin === undefined ? {} : { url: `${origin}/v2/${repository}/manifests/${digest}` }),
    ...(tag === undefined ? {} : { tag }),
  };
}

function blobTarget({ repository, digest, size }: Sized, { origin }: EventSource): Target {
  return {
    mediaType: 'application/octet-stream',
    digest,
    size,
    length: size,
    repository,
    ...(origin === undefined ? {} : { url: `${origin}/v2/${repository}/blobs/${digest}` }),
  };
}

function event(
  action: RegistryEvent['action'],
  { actor }: Content,
  { source, target }: { source: EventSource; target: Target },
): RegistryEvent {
  const { user, remote, agent } = actor;
  return {
    id: randomUUID(),
    timestamp: new Date().toISOString(),
    action,
    target,
    request: {
      id: randomUUID(),
      ...(remote === undefined ? {} : { addr: remote }),
      ...(agent === undefined ? {} : { useragent: agent.slice(0, 1024) }),
    },
    actor: user === undefined || user === '' ? {} : { name: user },
    source: { addr: source.address, instanceID: source.instance },
  };
}
