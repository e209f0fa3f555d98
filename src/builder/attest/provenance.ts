import type { Digest } from '#/oci/digest.ts';
import { formatPlatform, hostPlatform, type Platform } from '#/oci/platform.ts';
import type { Reference } from '#/oci/reference.ts';
import type { Attestation } from '../export/documents.ts';
import type { ProvenanceOptions } from './attest-options.ts';
import { digestSet, imageUrl, type Subject, statement } from './statement.ts';

/** Something from outside that a build has used. */
export type Material =
  | { readonly kind: 'image'; readonly name: Reference; readonly platform: Platform; readonly digest: Digest }
  | { readonly kind: 'git'; readonly url: string; readonly commit: string }
  | { readonly kind: 'http'; readonly url: string; readonly digest: Digest };

/** A step of a build. */
export interface ProvenanceStep {
  /** The instruction, with what was expanded in it. */
  readonly text: string;
  /** Numbers of earlier steps that it builds on. */
  readonly inputs: readonly number[];
  readonly layer: Digest | undefined;
}

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
  readonly target: string | undefined;
  readonly args: ReadonlyMap<string, string>;
  readonly labels: ReadonlyMap<string, string>;
  readonly secrets: readonly { readonly id: string; readonly optional: boolean }[];
  readonly ssh: readonly { readonly id: string; readonly optional: boolean }[];
  /** Contexts that a client has sent: `context`, `dockerfile`. */
  readonly locals: readonly string[];
  readonly materials: readonly Material[];
  readonly steps: readonly ProvenanceStep[];
  /** Content of the Dockerfile. */
  readonly dockerfileBytes: Buffer;
  /** Whether steps could reach a network. */
  readonly hermetic: boolean;
}

/** SLSA's provenance v1 (slsa.dev/spec/v1.0/provenance) with BuildKit's build type, which tools know how to show. */
const predicateType = 'https://slsa.dev/provenance/v1';
const buildType = 'https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md';

/** Tells how the subjects came to be. With mode `min`, arguments and labels, which may say more than their writer knew, are left out. */
export function provenance(
  subjects: readonly Subject[],
  facts: BuildFacts,
  options: ProvenanceOptions,
): Attestation {
  const isMax = options.mode === 'max';
  const predicate = {
    buildDefinition: {
      buildType,
      externalParameters: {
        configSource: { ...facts.source, path: facts.dockerfile },
        request: {
          frontend: 'dockerfile.v0',
          ...(isMax && { args: frontendArgs(facts) }),
          ...(isMax && facts.secrets.length > 0 && { secrets: facts.secrets }),
          ...(isMax && facts.ssh.length > 0 && { ssh: facts.ssh }),
          locals: facts.locals.map((name) => ({ name })),
        },
      },
      internalParameters: {
        builderPlatform: formatPlatform(hostPlatform()),
        ...(isMax && { buildConfig: { steps: facts.steps.map(stepMembers) } }),
      },
      resolvedDependencies: facts.materials.map(dependency),
    },
    runDetails: {
      builder: { id: options.builderId },
      metadata: {
        invocationId: facts.id,
        startedOn: facts.started.toISOString(),
        finishedOn: facts.finished.toISOString(),
        buildkit_hermetic: facts.hermetic,
        buildkit_completeness: {
          request: isMax,
          resolvedDependencies: facts.locals.length === 0 && facts.hermetic,
        },
        buildkit_reproducible: options.reproducible,
        ...(isMax && {
          buildkit_metadata: {
            source: {
              infos: [
                {
                  filename: facts.dockerfile,
                  language: 'Dockerfile',
                  data: facts.dockerfileBytes.toString('base64'),
                },
              ],
            },
          },
        }),
      },
    },
  };
  return statement(subjects, { predicateType, predicate });
}

function frontendArgs({ args, labels, target }: BuildFacts): Record<string, string> {
  return {
    ...Object.fromEntries([...args].map(([name, value]) => [`build-arg:${name}`, value])),
    ...Object.fromEntries([...labels].map(([name, value]) => [`label:${name}`, value])),
    ...(target !== undefined && { target }),
  };
}

function stepMembers({ text, inputs, layer }: ProvenanceStep, index: number): object {
  return {
    id: `step${index}`,
    op: text,
    ...(inputs.length > 0 && { inputs: inputs.map((input) => `step${input}`) }),
    ...(layer !== undefined && { layer: digestSet(layer) }),
  };
}

function dependency(material: Material): object {
  if (material.kind === 'git') {
    const algorithm = material.commit.length === 64 ? 'sha256' : 'sha1';
    return { uri: material.url, digest: { [algorithm]: material.commit } };
  }
  const uri = material.kind === 'http' ? material.url : imageUrl(material.name, material.platform);
  return { uri, digest: digestSet(material.digest) };
}
