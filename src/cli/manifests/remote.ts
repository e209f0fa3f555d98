import { isKind } from '#/base/errors.ts';
import type { RepositoryActions } from '#/distribution/registry-client.ts';
import type { Repository } from '#/distribution/repository.ts';
import { readDescriptor } from '#/oci/descriptor.ts';
import { type Digest, digestOf, parseDigest } from '#/oci/digest.ts';
import { type Field, parseJson } from '#/oci/json.ts';
import { kindOf, maxManifestBytes } from '#/oci/manifest.ts';
import { canonicalString, parseReference, type Reference, withDefaultTag } from '#/oci/reference.ts';
import type { Context } from '../command.ts';
import { credentialsFor } from '../credentials/resolve.ts';
import { openRegistryClient, registryCredentials } from '../registry-client.ts';
import {
  type EntryDescriptor,
  type EntryPlatform,
  type ManifestEntry,
  makeEntry,
  orderedPlatform,
} from './entry.ts';

/** What a name stands for at its registry. */
export type RemoteManifest =
  | { readonly kind: 'manifest'; readonly entry: ManifestEntry; readonly bytes: Buffer }
  | { readonly kind: 'list'; readonly descriptors: readonly EntryDescriptor[] };

const maxConfigBytes = 8 * 1024 * 1024;
const maxManifests = 1000;

/** The name of a list or image, complete; throws with docker's words. */
export function manifestName(text: string, what: string): Reference {
  try {
    return withDefaultTag(parseReference(text));
  } catch (error) {
    throw new Error(
      `error parsing name for ${what} ${text}: ${error instanceof Error ? error.message : ''}`,
      {
        cause: error,
      },
    );
  }
}

/** Works with one repository as the user; the connections are closed at the end. */
export async function withRepository<T>(
  ctx: Context,
  { reference, actions, insecure }: { reference: Reference; actions: RepositoryActions; insecure: boolean },
  work: (repository: Repository) => Promise<T>,
): Promise<T> {
  using client = openRegistryClient(ctx, { insecure: insecure ? [reference.domain] : [] });
  const credentials = registryCredentials(await credentialsFor(ctx, reference.domain));
  return await work(client.repository(reference, { credentials, actions }));
}

/** Gets what a name stands for, and for an image what machine it is for. Throws `no such manifest` if there is none. */
export async function fetchRemote(
  ctx: Context,
  reference: Reference,
  { insecure, signal }: { insecure: boolean; signal: AbortSignal },
): Promise<RemoteManifest> {
  return await withRepository(ctx, { reference, actions: 'pull', insecure }, async (repository) => {
    try {
      return await fetchFrom(repository, reference, signal);
    } catch (error) {
      if (!isKind(error, 'notFound')) throw error;
      throw new Error(`no such manifest: ${canonicalString(reference)}`, { cause: error });
    }
  });
}

/** The images that a list at a registry names. */
export async function fetchListed(
  ctx: Context,
  { reference, descriptors }: { reference: Reference; descriptors: readonly EntryDescriptor[] },
  { insecure, signal }: { insecure: boolean; signal: AbortSignal },
): Promise<ManifestEntry[]> {
  return await withRepository(ctx, { reference, actions: 'pull', insecure }, async (repository) => {
    const entries: ManifestEntry[] = [];
    for (const descriptor of descriptors) {
      const digest = parseDigest(descriptor.digest);
      const { bytes } = await repository.manifest(digest, { signal });
      entries.push(makeEntry(canonicalString({ ...reference, digest }), { bytes, descriptor }));
    }
    return entries;
  });
}

async function fetchFrom(
  repository: Repository,
  reference: Reference,
  signal: AbortSignal,
): Promise<RemoteManifest> {
  const { descriptor, bytes } = await repository.manifest(reference.digest ?? reference.tag ?? 'latest', {
    signal,
  });
  const { mediaType, digest, size } = descriptor;
  const kind = kindOf(mediaType);
  if (kind === undefined)
    throw new Error(`${canonicalString(reference)} is of the unsupported kind "${mediaType}"`);
  const document = parseJson(bytes, { what: kind, maxBytes: maxManifestBytes });
  if (kind === 'index') {
    return { kind: 'list', descriptors: document.get('manifests').list(maxManifests, listed) };
  }
  const config = readDescriptor(document.get('config'));
  const platform = await platformIn(repository, config, signal);
  const entry = makeEntry(canonicalString(reference), {
    bytes,
    descriptor: { mediaType, digest, size, platform },
  });
  return { kind: 'manifest', entry, bytes };
}

function listed(field: Field): EntryDescriptor {
  const { mediaType, digest, size, annotations } = readDescriptor(field);
  const platform = field.get('platform').optional(platformOf);
  return {
    mediaType,
    digest,
    size,
    ...(annotations !== undefined && { annotations }),
    ...(platform !== undefined && { platform }),
  };
}

async function platformIn(
  repository: Repository,
  config: { digest: Digest; size: number; mediaType: string },
  signal: AbortSignal,
): Promise<EntryPlatform> {
  if (config.size > maxConfigBytes)
    throw new Error(`configuration ${config.digest} has ${config.size} bytes`);
  const bytes = Buffer.concat(await Array.fromAsync(repository.download(config, { signal })));
  if (config.digest.startsWith('sha256:') && digestOf(bytes) !== config.digest) {
    throw new Error(`configuration ${config.digest} came with other content: ${digestOf(bytes)}`);
  }
  return platformOf(parseJson(bytes, { what: 'configuration', maxBytes: maxConfigBytes }));
}

/** From an image's configuration or a list: both have the same names. */
function platformOf(field: Field): EntryPlatform {
  const text = (name: string): string => field.get(name).optional((member) => member.string()) ?? '';
  const features = field.get('os.features').optional((member) => member.list(100, (one) => one.string()));
  return orderedPlatform({
    architecture: text('architecture'),
    os: text('os'),
    'os.version': text('os.version'),
    'os.features': features ?? [],
    variant: text('variant'),
  });
}
