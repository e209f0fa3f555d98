import { isKind, messageOf, notImplemented } from '#/base/errors.ts';
import type { Repository } from '#/distribution/repository.ts';
import { digestOf } from '#/oci/digest.ts';
import { hostPlatform } from '#/oci/platform.ts';
import { LayerBlobs } from '../../export/layer-blobs.ts';
import { pushPackage } from '../../export/push-package.ts';
import type { TransferParts } from '../../export/transfer.ts';
import type { ProgressSink } from '../../progress.ts';
import type { BuildRequest, CacheLocation } from '../../request.ts';
import { VertexReport } from '../../solve/vertex-report.ts';
import {
  type CacheOrigin,
  type CacheTarget,
  type RegistryPlace,
  readCacheOrigin,
  readCacheTarget,
} from './cache-options.ts';
import { type CachedResult, packageCache, writePackage } from './cache-package.ts';
import type { ClientContent } from './client-content.ts';
import { type CacheReader, ImportedCache } from './imported-cache.ts';

interface Control {
  readonly request: BuildRequest;
  readonly signal: AbortSignal;
  readonly progress: ProgressSink;
}

/** Results of one build, and those of them that its images are made of. */
export interface ExportedResults {
  readonly all: readonly CachedResult[];
  readonly ofImages: readonly CachedResult[];
}

/** Brings cache from and to where a build says. */
export class CacheExchange implements Disposable {
  readonly #parts: TransferParts;
  readonly #clients = new DisposableStack();

  constructor(parts: TransferParts) {
    this.#parts = parts;
  }

  /**
   * What the places of `cacheFrom` have. One that cannot be read is told and passed over: without it the build only takes longer.
   * Throws `invalid` for what no place can be.
   */
  async import({ request, signal, progress }: Control): Promise<ImportedCache> {
    const origins = request.cacheFrom.map(readCacheOrigin);
    const imported = new ImportedCache(this.#parts.images);
    const platforms = request.platforms.length === 0 ? [hostPlatform()] : request.platforms;
    for (const [index, origin] of origins.entries()) {
      const name = `importing cache manifest from ${origin.name}`;
      const report = new VertexReport(
        { digest: digestOf(`cache from ${index}`), name, inputs: [] },
        progress,
      );
      report.start();
      try {
        const reader = await this.#reader(origin, request, signal);
        for (const platform of platforms) await imported.add(reader, { platform, signal });
        report.end();
      } catch (error) {
        report.end({ error });
        signal.throwIfAborted();
        const reason = isKind(error, 'notFound') ? `${origin.name}: not found` : messageOf(error);
        void report.log(2, Buffer.from(`failed to configure ${origin.kind} cache importer: ${reason}\n`));
      }
    }
    return imported;
  }

  /** The places of `cacheTo`. Throws `invalid` for what no place can be. */
  targets(request: BuildRequest): readonly CacheTarget[] {
    return request.cacheTo.map(readCacheTarget);
  }

  /** Brings results to all places but images; what there is to tell of it, by BuildKit's names. */
  async export(
    targets: readonly CacheTarget[],
    results: ExportedResults,
    { request, signal, progress }: Control,
  ): Promise<Map<string, string>> {
    const metadata = new Map<string, string>();
    for (const [index, target] of targets.entries()) {
      if (target.kind === 'inline') continue;
      const name = `exporting cache to ${target.kind === 'local' ? 'client directory' : target.kind}`;
      const report = new VertexReport({ digest: digestOf(`cache to ${index}`), name, inputs: [] }, progress);
      try {
        await report.during(async () => {
          const wanted = target.mode === 'max' ? results.all : results.ofImages;
          for (const [key, value] of await this.#send(target, wanted, { request, signal, report })) {
            metadata.set(key, value);
          }
        });
      } catch (error) {
        signal.throwIfAborted();
        if (!target.ignoreError) throw error;
      }
    }
    return metadata;
  }

  async #send(
    target: Exclude<CacheTarget, { readonly kind: 'inline' }>,
    results: readonly CachedResult[],
    { request, signal, report }: { request: BuildRequest; signal: AbortSignal; report: VertexReport },
  ): Promise<Map<string, string>> {
    await using layers = new LayerBlobs(this.#parts.images, signal);
    const made = await packageCache(results, { layers, pack: target.pack });
    if (target.kind === 'local') {
      const top = await writePackage(made, contentOf(request, target.location), { signal });
      return new Map([['cache.manifest', JSON.stringify(top)]]);
    }
    const { reference } = target;
    const options = { signal, actions: 'pull,push' } as const;
    const repository = await this.#repository(target, request, options);
    await pushPackage(
      made,
      { repository, name: reference, tag: reference.tag },
      { ...this.#parts, signal, progress: (status) => report.status(status) },
    );
    return new Map();
  }

  async #reader(origin: CacheOrigin, request: BuildRequest, signal: AbortSignal): Promise<CacheReader> {
    if (origin.kind === 'local') {
      return { kind: 'local', content: contentOf(request, origin.location), digest: origin.digest };
    }
    const { reference } = origin;
    const repository = await this.#repository(origin, request, { signal, actions: 'pull' });
    return { kind: 'registry', repository, tag: reference.digest ?? reference.tag ?? 'latest' };
  }

  async #repository(
    { reference, isInsecure }: RegistryPlace,
    { registryAuth }: BuildRequest,
    { signal, actions }: { signal: AbortSignal; actions: 'pull' | 'pull,push' },
  ): Promise<Repository> {
    const credentials = await registryAuth.credentials(reference.domain, { signal });
    const usual = this.#parts.client();
    const client = isInsecure ? this.#clients.use(usual.trusting([reference.domain])) : usual;
    return client.repository(reference, { credentials, actions });
  }

  /** Closes connections; what was imported cannot be fetched any more. */
  [Symbol.dispose](): void {
    this.#clients.dispose();
  }
}

function contentOf({ clientContent }: BuildRequest, location: CacheLocation): ClientContent {
  const content = clientContent?.(location);
  if (content !== undefined) return content;
  throw notImplemented('cache of type local: this client does not give access to its folders');
}
