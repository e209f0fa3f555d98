import type { Digest } from '#/oci/digest.ts';
import { formatPlatform, hostPlatform, type Platform } from '#/oci/platform.ts';
import type { Reference } from '#/oci/reference.ts';
import type { PlanNode } from '../plan/graph.ts';
import type { ProvenanceOptions } from './attest-options.ts';
import { buildConfig } from './build-config.ts';
import { digestSet, imageUrl } from './statement.ts';

/** Something from outside that a build has used. */
export type Material =
  | { readonly kind: 'image'; readonly name: Reference; readonly platform: Platform; readonly digest: Digest }
  | { readonly kind: 'git'; readonly url: string; readonly commit: string }
  | { readonly kind: 'http'; readonly url: string; readonly digest: Digest };

/** What is to be known of a build for its provenance. Secrets and ssh agents appear by their names only. */
export interface BuildFacts {
  /** Names this build alone. */
  readonly id: string;
  readonly started: Date;
  readonly finished: Date;
  /** Where the Dockerfile came from, if that was a repository or a URL. */
  readonly source: { readonly uri: string; readonly digest: Readonly<Record<string, string>> } | undefined;
  /** Path of the Dockerfile in its context. */
  readonly dockerfile: string;
  /** What the client asked for, by BuildKit's names: `target`, `build-arg:NAME`, `label:NAME`. */
  readonly args: ReadonlyMap<string, string>;
  /** Where the client's files are from, by BuildKit's names: `source`, `revision`. */
  readonly vcs: ReadonlyMap<string, string>;
  readonly secrets: readonly { readonly id: string; readonly optional: boolean }[];
  readonly ssh: readonly { readonly id: string; readonly optional: boolean }[];
  /** Contexts that a client has sent: `context`, `dockerfile`. */
  readonly locals: readonly string[];
  readonly materials: readonly Material[];
  /** What had to be done for a platform, as `formatPlatform` writes it: the files of the result. */
  readonly results: ReadonlyMap<string, PlanNode | undefined>;
  /** Content of the Dockerfile. */
  readonly dockerfileBytes: Buffer;
  /** Whether steps could reach a network. */
  readonly hermetic: boolean;
}

/** What a provenance says, without what it says it about. */
export interface Predicate {
  readonly type: string;
  readonly members: object;
}

/** The types of SLSA's provenance, and BuildKit's names of how it builds, which tools know how to show. */
const types = {
  'v0.2': {
    predicate: 'https://slsa.dev/provenance/v0.2',
    build: 'https://mobyproject.org/buildkit@v1',
  },
  v1: {
    predicate: 'https://slsa.dev/provenance/v1',
    build: 'https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md',
  },
} as const;

/**
 * Tells how the result for a platform came to be (slsa.dev/spec/v1.0/provenance, slsa.dev/spec/v0.2/provenance). With mode
 * `min`, arguments and labels, which may say more than their writer knew, are left out.
 */
export function provenance(facts: BuildFacts, platform: Platform, options: ProvenanceOptions): Predicate {
  const parts = partsOf(facts, platform, options);
  const { predicate: type, build: buildType } = types[options.version];
  const members = options.version === 'v1' ? version1(parts, buildType) : version02(parts, buildType);
  return { type, members };
}

/** What both versions say, under names of their own. */
interface Parts {
  readonly facts: BuildFacts;
  readonly options: ProvenanceOptions;
  readonly parameters: object;
  readonly materials: readonly object[];
  /** Undefined with mode `min`. */
  readonly config: object | undefined;
  readonly metadata: object;
  readonly isComplete: { readonly parameters: boolean; readonly materials: boolean };
  readonly isHermetic: boolean;
}

function partsOf(facts: BuildFacts, platform: Platform, options: ProvenanceOptions): Parts {
  const isMax = options.mode === 'max';
  const shown = [...facts.args].filter(([name]) => isMax || !/^(?:build-arg|label):/.test(name));
  const { llbDefinition, digestMapping, locations } = buildConfig(
    facts.results.get(formatPlatform(platform)),
  );
  const hasLocals = facts.locals.length > 0;
  const source = {
    locations: Object.fromEntries(
      [...locations].map(([step, { start, end }]) => {
        const range = { start: { line: start.line }, end: { line: end.line } };
        return [step, { locations: [{ ranges: [range] }] }];
      }),
    ),
    infos: [
      {
        filename: facts.dockerfile,
        language: 'Dockerfile',
        data: facts.dockerfileBytes.toString('base64'),
      },
    ],
  };
  return {
    facts,
    options,
    parameters: {
      frontend: 'dockerfile.v0',
      ...(shown.length > 0 && { args: Object.fromEntries(shown) }),
      ...(isMax && lent('secrets', facts.secrets)),
      ...(isMax && lent('ssh', facts.ssh)),
      ...(hasLocals && { locals: facts.locals.map((name) => ({ name })) }),
    },
    materials: facts.materials.map(materialMembers),
    config: isMax ? { llbDefinition, digestMapping } : undefined,
    metadata: {
      ...(facts.vcs.size > 0 && { vcs: Object.fromEntries(facts.vcs) }),
      ...(isMax && { source }),
    },
    isComplete: { parameters: shown.length === facts.args.size, materials: !hasLocals },
    isHermetic: facts.hermetic && !hasLocals,
  };
}

function version1({ facts, options, ...parts }: Parts, buildType: string): object {
  return {
    buildDefinition: {
      buildType,
      externalParameters: {
        configSource: { ...facts.source, path: facts.dockerfile },
        request: parts.parameters,
      },
      internalParameters: {
        ...(parts.config !== undefined && { buildConfig: parts.config }),
        builderPlatform: formatPlatform(hostPlatform()),
      },
      resolvedDependencies: parts.materials,
    },
    runDetails: {
      builder: { id: options.builderId },
      metadata: {
        invocationId: facts.id,
        startedOn: facts.started.toISOString(),
        finishedOn: facts.finished.toISOString(),
        buildkit_metadata: parts.metadata,
        buildkit_hermetic: parts.isHermetic,
        buildkit_completeness: {
          request: parts.isComplete.parameters,
          resolvedDependencies: parts.isComplete.materials,
        },
        buildkit_reproducible: options.reproducible,
      },
    },
  };
}

function version02({ facts, options, ...parts }: Parts, buildType: string): object {
  return {
    builder: { id: options.builderId },
    buildType,
    ...(parts.materials.length > 0 && { materials: parts.materials }),
    invocation: {
      configSource: { ...facts.source, entryPoint: facts.dockerfile },
      parameters: parts.parameters,
      environment: { platform: formatPlatform(hostPlatform()) },
    },
    ...(parts.config !== undefined && { buildConfig: parts.config }),
    metadata: {
      buildInvocationID: facts.id,
      buildStartedOn: facts.started.toISOString(),
      buildFinishedOn: facts.finished.toISOString(),
      completeness: {
        parameters: parts.isComplete.parameters,
        environment: true,
        materials: parts.isComplete.materials,
      },
      reproducible: options.reproducible,
      [`${buildType}#metadata`]: parts.metadata,
      ...(parts.isHermetic && { [`${buildType}#hermetic`]: true }),
    },
  };
}

function lent(name: string, given: BuildFacts['secrets']): object {
  if (given.length === 0) return {};
  return { [name]: given.map(({ id, optional }) => ({ id, ...(optional && { optional }) })) };
}

function materialMembers(material: Material): object {
  if (material.kind === 'git') {
    const algorithm = material.commit.length === 64 ? 'sha256' : 'sha1';
    return { uri: material.url, digest: { [algorithm]: material.commit } };
  }
  const uri = material.kind === 'http' ? material.url : imageUrl(material.name, material.platform);
  return { uri, digest: digestSet(material.digest) };
}
