import { invalid, notImplemented } from '#/base/errors.ts';
import type {
  BuildContext,
  BuildRequest,
  CacheLocation,
  DockerfileSource,
  Entitlement,
  NamedContext,
} from '#/builder/request.ts';
import { type Digest, isDigest } from '#/oci/digest.ts';
import { parsePlatform } from '#/oci/platform.ts';
import { lentBy } from '../session/lent.ts';
import type { ClientSession } from '../session/session.ts';
import { type Attributes, flagAt, withPrefix } from './attributes.ts';
import { type ExporterChoice, outputOf } from './outputs.ts';
import { runDefaults } from './run-defaults.ts';

/** A build as clients of BuildKit describe it. */
export interface SolveInput {
  /** What the client calls the build. */
  readonly ref: string;
  /** Attributes of the Dockerfile front end. */
  readonly attributes: Attributes;
  readonly exporters: readonly ExporterChoice[];
  readonly cacheFrom: readonly CacheLocation[];
  readonly cacheTo: readonly CacheLocation[];
  readonly entitlements: readonly string[];
  readonly session: ClientSession | undefined;
}

/** Where trees of files come from that attributes only name. */
export interface ContextSource {
  /** A directory of the client, by the name that the client gave it. */
  local(name: string): BuildContext;
  /** A repository or an archive. */
  remote(url: string): BuildContext;
  /** The image with this digest in an OCI image layout of the client. */
  layout(name: string, digest: Digest): BuildContext;
  /** The result of another build. */
  input(name: string): NamedContext;
}

/** The request that the builder carries out. Throws `invalid` for attributes that mean nothing. */
export function buildRequestOf(input: SolveInput, contexts: ContextSource): BuildRequest {
  const { attributes, session } = input;
  const noCache = attributes.get('no-cache');
  const context = mainContext(attributes, contexts);
  return {
    dockerfile: dockerfileOf(attributes, { contexts, context }),
    context,
    namedContexts: namedContexts(attributes, contexts),
    args: withPrefix(attributes, 'build-arg:'),
    target: attributes.get('target') || undefined,
    platforms: (attributes.get('platform') ?? '').split(',').filter(Boolean).map(parsePlatform),
    noCache: noCache === '',
    noCacheStages: (noCache ?? '').split(',').filter(Boolean),
    pull: pulls(attributes.get('image-resolve-mode') ?? ''),
    labels: withPrefix(attributes, 'label:'),
    run: runDefaults(attributes),
    ...lentBy(session),
    outputs: input.exporters.map((exporter, index) => outputOf(exporter, { index, session })),
    cacheFrom: [...input.cacheFrom, ...cacheImports(attributes)],
    cacheTo: input.cacheTo,
    attestations: withPrefix(attributes, 'attest:'),
    vcs: withPrefix(attributes, 'vcs:'),
    squash: flagAt(attributes, 'build-arg:BUILDKIT_SQUASH') ?? false,
    entitlements: new Set(input.entitlements.map(entitlement)),
    explain: false,
  };
}

function mainContext(attributes: Attributes, contexts: ContextSource): BuildContext {
  const url = attributes.get(attributes.get('contextkey') ?? 'context') ?? '';
  if (url === '') return contexts.local(attributes.get('contextkey') ?? 'context');
  const inner = attributes.get('contextsubdir') ?? '';
  if (inner !== '')
    throw notImplemented('a subdirectory of a remote context apart from its URL is not implemented');
  return contexts.remote(url);
}

/** Beside the context if that is remote, unless the client says that it sends it. */
function dockerfileOf(
  attributes: Attributes,
  { contexts, context }: { contexts: ContextSource; context: BuildContext },
): DockerfileSource {
  const path = attributes.get('filename') || 'Dockerfile';
  const isRemote = (attributes.get('context') ?? '') !== '';
  const localName = attributes.get('dockerfilekey');
  if (isRemote && localName === undefined) return { kind: 'file', context, path };
  return { kind: 'file', context: contexts.local(localName ?? 'dockerfile'), path };
}

function namedContexts(attributes: Attributes, contexts: ContextSource): Map<string, NamedContext> {
  const named = new Map<string, NamedContext>();
  for (const [name, value] of withPrefix(attributes, 'context:'))
    named.set(name, namedContext(value, contexts));
  return named;
}

/** `scheme:rest`: `docker-image://busybox`, `local:name`, `input:name`, an address of a repository or an archive. */
function namedContext(value: string, contexts: ContextSource): NamedContext {
  const [, scheme = '', rest = ''] = /^([^:]*):(.*)$/s.exec(value) ?? [];
  switch (scheme) {
    case 'docker-image':
      return { kind: 'image', reference: rest.replace(/^\/\//, '') };
    case 'local':
      return { kind: 'tree', context: contexts.local(rest) };
    case 'input':
      return contexts.input(rest);
    case 'oci-layout': {
      const [, store = '', digest = ''] = /^\/\/(.+)@(.+)$/.exec(rest) ?? [];
      if (!isDigest(digest)) throw invalid(`oci-layout reference ${JSON.stringify(rest)} has no digest`);
      return {
        kind: 'oci-layout',
        context: contexts.layout(store.replace(/:[^/:]*$/, ''), digest),
        reference: digest,
      };
    }
    case '':
      throw invalid(`invalid context specifier ${value}`);
    default:
      return { kind: 'tree', context: contexts.remote(value) };
  }
}

function pulls(mode: string): boolean {
  if (mode === 'pull') return true;
  if (mode === '' || mode === 'default' || mode === 'local') return false;
  throw invalid(`invalid image-resolve-mode: ${mode}`);
}

/** Named by clients that send cache imports to the front end only, and by those before 2019. */
function cacheImports(attributes: Attributes): CacheLocation[] {
  const references = (attributes.get('cache-from') ?? '').split(',').filter(Boolean);
  return references.map((ref) => ({ type: 'registry', attributes: new Map([['ref', ref]]) }));
}

function entitlement(text: string): Entitlement {
  if (text === 'network.host' || text === 'security.insecure') return text;
  throw invalid(`unknown entitlement ${JSON.stringify(text)}`);
}
