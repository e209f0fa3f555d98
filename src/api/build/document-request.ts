import { pipeline } from 'node:stream/promises';
import { invalid, notImplemented } from '#/base/errors.ts';
import { ArchiveContent } from '#/builder/cache/exchange/archive-content.ts';
import type { ClientContent } from '#/builder/cache/exchange/client-content.ts';
import { LayoutContent } from '#/builder/cache/exchange/layout-content.ts';
import type {
  ArchiveSink,
  BuildContext,
  BuildRequest,
  CacheLocation,
  Entitlement,
  NamedContext,
  Output,
  RunDefaults,
} from '#/builder/request.ts';
import type { RemoteAccess } from '#/builder/sources/remote-contexts.ts';
import { parsePlatform } from '#/oci/platform.ts';
import type { Reference } from '#/oci/reference.ts';
import type { CacheDocument, ContextDocument, OutputDocument } from '#/wire/build.ts';
import { byHost } from '../decode/registry-config.ts';
import type { FullBuildDocument } from './build-document.ts';
import { checkResources, extraHost, imageNames, runNetwork } from './build-query.ts';
import { lateStream } from './late-stream.ts';
import type { BuildSession } from './session.ts';

/** What stands for contexts that the daemon gets itself, and for none at all. */
export interface ContextMakers {
  readonly remote: (url: string, access: RemoteAccess) => BuildContext;
  readonly empty: BuildContext;
}

/** The request that a document makes, with what its session brings. Throws `invalid`. */
export function requestOf(
  document: FullBuildDocument,
  session: BuildSession,
  makers: ContextMakers,
): BuildRequest {
  const names = imageNames(document.Names);
  const { Name: path, Content: content } = document.Dockerfile;
  const name = path || 'Dockerfile';
  const lent = lentBy(document, session);
  const contexts = new Contexts(session, makers, {
    ...lent,
    dockerfile: name,
    keepGitDir: document.Args['BUILDKIT_CONTEXT_KEEP_GIT_DIR'] === '1',
  });
  const context = contexts.main(document.Context);
  const credentials = byHost(document.Auths);
  return {
    dockerfile:
      content === ''
        ? { kind: 'file', context, path: name }
        : { kind: 'bytes', name, bytes: Buffer.from(content, 'base64') },
    context,
    namedContexts: new Map(
      Object.entries(document.NamedContexts).map(([key, it]) => [key, contexts.named(it)]),
    ),
    args: new Map(Object.entries(document.Args)),
    target: document.Target || undefined,
    platforms: document.Platforms.map(parsePlatform),
    noCache: document.NoCache,
    noCacheStages: document.NoCacheStages,
    pull: document.Pull,
    labels: new Map(Object.entries(document.Labels)),
    run: runDefaults(document),
    ...lent,
    registryAuth: { credentials: async (host) => credentials.get(host) ?? { kind: 'anonymous' } },
    outputs: document.Outputs.map((it) => outputOf(it, names, session)),
    ...cachesOf(document, session),
    attestations: new Map(Object.entries(document.Attestations)),
    squash: document.Squash,
    entitlements: new Set(document.Entitlements.map(entitlement)),
    explain: document.Explain,
  };
}

/** What the client lends to the steps of the build, and to whatever gets a context. */
function lentBy(
  { Secrets, Agents }: FullBuildDocument,
  session: BuildSession,
): Pick<BuildRequest, 'secrets' | 'ssh'> {
  const secrets = new Map(Object.entries(Secrets).map(([id, value]) => [id, Buffer.from(value, 'base64')]));
  const { signal } = new AbortController();
  return {
    secrets: { get: async (id) => secrets.get(id) },
    ssh: {
      has: async (id) => Agents.includes(id),
      connect: (id) => lateStream(session.takeStream(`agent:${id}`, signal)),
    },
  };
}

/** Makes the contexts of one document. */
class Contexts {
  readonly #session: BuildSession;
  readonly #makers: ContextMakers;
  readonly #access: RemoteAccess;

  constructor(session: BuildSession, makers: ContextMakers, access: RemoteAccess) {
    this.#session = session;
    this.#makers = makers;
    this.#access = access;
  }

  main(it: ContextDocument): BuildContext {
    switch (it.Kind) {
      case 'none':
        return this.#makers.empty;
      case 'files':
        return this.#session.context(it.Name);
      case 'url':
        return this.#makers.remote(it.Url, this.#access);
      case 'image':
      case 'oci-layout':
        throw invalid(`the context of a build cannot be of the kind ${it.Kind}`);
      default:
        return it satisfies never;
    }
  }

  named(it: ContextDocument): NamedContext {
    if (it.Kind === 'image') return { kind: 'image', reference: it.Reference };
    if (it.Kind === 'oci-layout') {
      return { kind: it.Kind, context: this.#session.context(it.Name), reference: it.Reference };
    }
    return { kind: 'tree', context: this.main(it) };
  }
}

function runDefaults(document: FullBuildDocument): RunDefaults {
  const resources = {
    memory: document.Memory || undefined,
    memorySwap: document.MemorySwap || undefined,
    cpuShares: document.CpuShares || undefined,
    cpuPeriod: document.CpuPeriod || undefined,
    cpuQuota: document.CpuQuota || undefined,
    cpusetCpus: document.CpusetCpus || undefined,
    cpusetMems: document.CpusetMems || undefined,
  };
  checkResources(resources);
  return {
    network: runNetwork(document.NetworkMode),
    extraHosts: document.ExtraHosts.map(extraHost),
    ulimits: document.Ulimits.map(({ Name, Soft, Hard }) => ({ name: Name, soft: Soft, hard: Hard })),
    shmSize: document.ShmSize > 0 ? document.ShmSize : undefined,
    cgroupParent: document.CgroupParent || undefined,
    resources,
  };
}

function outputOf(
  { Type, Attributes = {}, Stream = '' }: OutputDocument,
  names: readonly Reference[],
  session: BuildSession,
): Output {
  const { name, push, ...rest } = Attributes;
  const options = new Map(Object.entries(rest));
  const own = name === undefined || name === '' ? names : imageNames(name.split(','));
  const pushes = push !== undefined && !['false', '0'].includes(push);
  switch (Type) {
    case 'image':
      return pushes
        ? { kind: 'registry', names: own, store: true, options }
        : { kind: 'image', names: own, options };
    case 'registry':
      return { kind: 'registry', names: own, store: true, options };
    case 'docker':
    case 'oci':
      return { kind: Type, names: own, sink: archiveSink(session, Stream), options };
    case 'tar':
    case 'local':
      // The files travel as an archive, which the client unpacks.
      return { kind: 'tar', sink: archiveSink(session, Stream), options };
    case 'cacheonly':
      return { kind: Type };
    default:
      throw notImplemented(`the exporter ${JSON.stringify(Type)} is not implemented`);
  }
}

/** A connection that the client offers for an output. The client closes it when it has taken everything. */
function archiveSink(session: BuildSession, name: string): ArchiveSink {
  if (name === '') throw invalid('an output on the client needs the name of a stream');
  return {
    write: async (bytes, { signal }) => {
      const stream = await session.takeStream(name, signal);
      const closed = new Promise<void>((resolve) => {
        stream.once('close', resolve);
      });
      stream.resume();
      await pipeline(bytes, stream, { signal, end: true });
      await closed;
    },
  };
}

/** Where cache comes from and goes to, with the folders of the client that are among it. */
function cachesOf(
  { CacheFrom, CacheTo }: FullBuildDocument,
  session: BuildSession,
): Pick<BuildRequest, 'cacheFrom' | 'cacheTo' | 'clientContent'> {
  const folders = new Map<CacheLocation, ClientContent>();
  const location = ({ Type, Attributes = {}, Name = '', Stream = '' }: CacheDocument): CacheLocation => {
    const made = { type: Type, attributes: new Map(Object.entries(Attributes)) };
    if (Name !== '') folders.set(made, new LayoutContent(session.context(Name)));
    if (Stream !== '') {
      const tag = made.attributes.get('tag') ?? 'latest';
      folders.set(made, new ArchiveContent(archiveSink(session, Stream), tag));
    }
    return made;
  };
  return {
    cacheFrom: CacheFrom.map(location),
    cacheTo: CacheTo.map(location),
    clientContent: (wanted) => folders.get(wanted),
  };
}

function entitlement(name: string): Entitlement {
  if (name === 'network.host' || name === 'security.insecure') return name;
  throw invalid(`unknown entitlement ${JSON.stringify(name)}`);
}
