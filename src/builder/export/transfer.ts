import { EngineError, invalid } from '#/base/errors.ts';
import type { RegistryClient } from '#/distribution/registry-client.ts';
import { canonicalName, canonicalString } from '#/oci/reference.ts';
import type { BlobSources } from '#/registry/client/blob-sources.ts';
import type { Slots } from '#/registry/client/slots.ts';
import type { ImageParts } from '#/storage/images/record.ts';
import type { ResultAttestations } from '../attest/attest-result.ts';
import type { StatusSink } from '../progress.ts';
import type { AuthSource, Output } from '../request.ts';
import { imageArchive } from './image-archive.ts';
import { readImageOptions } from './image-options.ts';
import type { PlatformImage } from './image-package.ts';
import { LayerBlobs } from './layer-blobs.ts';
import { readFileOptions, readPushOptions } from './output-options.ts';
import { type OutputReport, packageResult, reportOf } from './package-result.ts';
import { pushPackage } from './push-package.ts';
import type { RootParts } from './root.ts';
import { exportTar, exportTree } from './tree-export.ts';

/** What results are brought elsewhere with. */
export interface TransferParts {
  readonly images: ImageParts;
  readonly roots: RootParts;
  /** Asked each time: a reload of the configuration makes another one. */
  readonly client: () => RegistryClient;
  readonly sources: BlobSources;
  readonly uploads: Slots;
}

/** What one build brings elsewhere, and how it is told. */
export interface Transfer {
  readonly parts: TransferParts;
  readonly attestations: ResultAttestations;
  readonly auth: AuthSource;
  readonly signal: AbortSignal;
  readonly progress: StatusSink;
}

/** An output that leads out of the daemon. */
export type OuterOutput = Exclude<Output, { readonly kind: 'image' | 'cacheonly' }>;

/** Brings results where an output says. Throws `invalid` for options that cannot be. */
export async function transferResult(
  output: OuterOutput,
  images: readonly PlatformImage[],
  transfer: Transfer,
): Promise<OutputReport> {
  switch (output.kind) {
    case 'registry':
      return pushed(output, images, transfer);
    case 'docker':
    case 'oci':
      return archived(output, images, transfer);
    case 'tar':
    case 'local': {
      const { parts, signal, progress } = transfer;
      const attestations = transfer.attestations.ofKind({ inline: false });
      const { platformSplit, attestationPrefix: prefix } = readFileOptions(output.options);
      const options = {
        parts: parts.roots,
        platformSplit,
        ...(!attestations.isEmpty && {
          files: (image: PlatformImage, root: string) => attestations.ofFiles(image, { root, prefix }),
        }),
      };
      if (output.kind === 'tar')
        await exportTar(images, { ...options, sink: output.sink }, { signal, progress });
      else await exportTree(images, { ...options, sink: output.sink }, { signal, progress });
      return { metadata: new Map() };
    }
    default:
      return output satisfies never;
  }
}

async function pushed(
  output: Extract<Output, { readonly kind: 'registry' }>,
  images: readonly PlatformImage[],
  transfer: Transfer,
): Promise<OutputReport> {
  const { names } = output;
  if (names.length === 0) throw invalid('tag is needed when pushing to registry');
  const { byDigest, isInsecure } = readPushOptions(output.options);
  const { parts, auth, signal, progress } = transfer;
  await using stack = new AsyncDisposableStack();
  const client = isInsecure
    ? stack.use(parts.client().trusting(names.map(({ domain }) => domain)))
    : parts.client();
  const layers = stack.use(new LayerBlobs(parts.images, signal));
  const made = await packageResult(images, {
    ...transfer,
    layers,
    names,
    options: readImageOptions(output.options),
  });
  for (const name of names) {
    try {
      const credentials = await auth.credentials(name.domain, { signal });
      const repository = client.repository(name, { credentials, actions: 'pull,push' });
      const tag = byDigest ? undefined : (name.tag ?? 'latest');
      await pushPackage(made, { repository, name, tag }, { ...parts, signal, progress });
    } catch (error) {
      throw named(error, `failed to push ${canonicalString(name)}`);
    }
  }
  const shown = byDigest
    ? names.map((name) => `${canonicalName(name)}@${made.top.digest}`)
    : names.map(canonicalString);
  return reportOf(made, shown);
}

async function archived(
  output: Extract<Output, { readonly kind: 'docker' | 'oci' }>,
  images: readonly PlatformImage[],
  transfer: Transfer,
): Promise<OutputReport> {
  const { kind, names, sink } = output;
  const { parts, signal, progress } = transfer;
  await using layers = new LayerBlobs(parts.images, signal);
  const options = readImageOptions(output.options);
  const made = await packageResult(images, {
    ...transfer,
    layers,
    names,
    // An archive for Docker holds one image and nothing about it. It is read at once, most often on the same machine.
    options:
      kind === 'oci'
        ? options
        : { ...options, pack: { ...options.pack, compression: options.pack.compression ?? 'uncompressed' } },
    inline: false,
    isBare: kind === 'docker',
  });
  const started = new Date();
  const id = 'sending tarball';
  progress({ id, current: 0, total: 0, started });
  await sink.write(stoppable(imageArchive(kind, made, names), signal), { signal });
  progress({ id, current: 0, total: 0, started, completed: new Date() });
  return reportOf(made, names.map(canonicalString));
}

async function* stoppable(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) {
    signal.throwIfAborted();
    yield chunk;
  }
}

/** A failure, with what failed in front of it. */
function named(error: unknown, what: string): unknown {
  if (!(error instanceof EngineError)) return error;
  return new EngineError(error.kind, `${what}: ${error.message}`, { cause: error });
}
