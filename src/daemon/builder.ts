import { mkdirSync, rmSync, statfsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Logger } from '#/base/log.ts';
import { Builder } from '#/builder/build.ts';
import { BuildCache } from '#/builder/cache/build-cache.ts';
import { CacheMounts } from '#/builder/cache/cache-mounts.ts';
import { CacheKeeper } from '#/builder/cache/keeper.ts';
import type { CacheBudget } from '#/builder/cache/record.ts';
import { BaseImages } from '#/builder/images/base-images.ts';
import { FileOps } from '#/builder/ops/files/file-ops.ts';
import type { StepParts } from '#/builder/ops/step-parts.ts';
import type { ExtraHost } from '#/builder/request.ts';
import { Flights } from '#/builder/solve/flights.ts';
import { GitSource } from '#/builder/sources/git/git-source.ts';
import { HttpSource } from '#/builder/sources/http/http-source.ts';
import { RemoteContexts } from '#/builder/sources/remote-contexts.ts';
import type { RegistryClient } from '#/distribution/registry-client.ts';
import type { ContainerStore } from '#/engine/containers/store.ts';
import type { EndpointInfo } from '#/network/endpoint-info.ts';
import type { PullParts } from '#/registry/client/pull.ts';
import { Slots } from '#/registry/client/slots.ts';
import type { Database } from '#/state/db.ts';
import type { AddedImage } from '#/storage/images/record.ts';
import type { TreeThreads } from '#/storage/tree/tree-threads.ts';
import type { BuildFiles } from './build-files.ts';
import { bytesOf, type DiskAmount } from './builder-options.ts';
import type { Config } from './options.ts';
import { clientOptions, proxiesOf } from './registry-settings.ts';

/** What the builder is made from, beside the configuration. */
export interface BuilderInput {
  readonly steps: Omit<StepParts, 'cacheMounts' | 'defaults'>;
  readonly files: BuildFiles;
  readonly pull: PullParts;
  /** Bounds how many blobs are uploaded at once, for all who push. */
  readonly uploads: Slots;
  readonly trees: TreeThreads;
  readonly client: () => RegistryClient;
  readonly db: Database;
  readonly log: Logger;
  readonly defaults: StepParts['defaults'];
  readonly onStored: (added: AddedImage) => void;
}

/** Processes of builds that run at once, for each processor. */
const stepsPerProcessor = 4;
/** Days that something may lie in the cache unused. */
const maxAgeDays = 60;
/** Part of the disk that the cache may take. */
const diskShare = 0.1;

/** Makes the builder, and tidies up what an earlier one has left in its folders. */
export async function openBuilder(
  config: Config,
  input: BuilderInput,
  stack: AsyncDisposableStack,
): Promise<Builder> {
  const { steps, files, pull, uploads, trees, client, db, log, defaults, onStored } = input;
  const root = join(config.dataRoot, 'builder');
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const cacheMounts = new CacheMounts({ db, root: join(root, 'mounts') });
  await cacheMounts.reconcile();
  const { layers } = pull;
  const cache = new BuildCache({ db, layers });
  const proxies = proxiesOf(config);
  const { userAgent } = clientOptions(config);
  const git = await GitSource.open({ root: join(root, 'git'), proxies });
  const http = stack.use(await HttpSource.open({ root: join(root, 'http'), proxies, userAgent }));
  const keeper = stack.use(
    new CacheKeeper({
      cache,
      mounts: cacheMounts,
      trees,
      files: [git, http, files.contexts],
      layers,
      images: pull.images,
      dataRoot: config.dataRoot,
      budget: budgetOf(config),
      onError: (error) => log.error('cannot tidy up the build cache', { error }),
    }),
  );
  const remotes = await RemoteContexts.open({ git, http, root: join(root, 'contexts') });
  const scratch = join(root, 'scratch');
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { mode: 0o700 });
  const { threads, digests } = files;
  const stepParts: StepParts = { ...steps, cacheMounts, defaults };
  return new Builder({
    solve: {
      steps: stepParts,
      layers,
      cache,
      images: new BaseImages(pull, client),
      imageStore: pull.images,
      files: new FileOps({ steps: stepParts, threads, digests, scratch }),
      git,
      http,
      flights: new Flights(),
      slots: new Slots(() => availableParallelism() * stepsPerProcessor),
    },
    outputs: {
      images: pull,
      roots: { layers, snapshots: steps.snapshots, trees, runRoot: steps.runRoot },
      client,
      sources: pull.sources,
      uploads,
      onStored,
    },
    keeper,
    remotes,
  });
}

/** What containers in a network are called there, and their addresses. */
export function neighbours(
  endpoints: readonly EndpointInfo[],
  containers: Pick<ContainerStore, 'get'>,
): ExtraHost[] {
  return endpoints.flatMap(({ containerId, address, aliases }) => {
    const name = containers.get(containerId)?.name;
    if (address === undefined || name === undefined) return [];
    return [name, ...aliases].map((each) => ({ name: each, address }));
  });
}

function budgetOf({ dataRoot, builderGc: gc }: Config): CacheBudget | undefined {
  if (!gc.enabled) return undefined;
  const { blocks, bsize } = statfsSync(dataRoot);
  const bytes = (amount: DiskAmount): number => bytesOf(amount, blocks * bsize);
  return {
    maxUsed: bytes(gc.maxUsed ?? { share: diskShare }),
    maxAge: maxAgeDays * 24 * 3600 * 1000,
    ...(gc.reserved !== undefined && { reserved: bytes(gc.reserved) }),
    ...(gc.minFree !== undefined && { minFree: bytes(gc.minFree) }),
  };
}
