import { invalid } from '#/base/errors.ts';
import { type Digest, digestOf, parseDigest } from '#/oci/digest.ts';
import type { ImageRuntimeConfig } from '#/oci/image-config.ts';
import { formatPlatform, hostPlatform, type Platform } from '#/oci/platform.ts';
import { type AttestOptions, readAttestOptions } from './attest/attest-options.ts';
import { ResultAttestations } from './attest/attest-result.ts';
import type { BuildFacts } from './attest/provenance.ts';
import { CacheExchange } from './cache/exchange/cache-exchange.ts';
import type { CacheKeeper } from './cache/keeper.ts';
import type { CacheBudget, CacheRecord, PruneRequest, PruneResult } from './cache/record.ts';
import type { StepDebugger } from './debugger.ts';
import { makeImage } from './export/image-config.ts';
import type { PlatformImage } from './export/image-package.ts';
import { checkOutput } from './export/output-options.ts';
import { sendOutput } from './export/outputs.ts';
import type { OutputImage } from './export/package-result.ts';
import { squash } from './export/squash.ts';
import type { StoreParts } from './export/store-result.ts';
import { foreignFrontEnd } from './plan/front-end.ts';
import { lintBuild, lintConfigOf, type PlanFindings } from './plan/lint-build.ts';
import { dockerfileEvent, type LoadedDockerfile, loadDockerfile } from './plan/load-dockerfile.ts';
import { PlanSources } from './plan/plan-sources.ts';
import { type BuildPlan, planBuild } from './plan/planner.ts';
import type { ProgressSink } from './progress.ts';
import type { BuildContext, BuildRequest } from './request.ts';
import { BuildRun } from './solve/build-run.ts';
import type { SolveParts } from './solve/solve-parts.ts';
import { VertexReport } from './solve/vertex-report.ts';
import type { RemoteAccess, RemoteContexts } from './sources/remote-contexts.ts';

/** How a build is followed and ended. */
export interface BuildControl {
  /** Ends the build: its steps are killed as far as no other build waits for them. */
  readonly signal: AbortSignal;
  readonly progress: ProgressSink;
  /** Somebody who wants to look into steps. */
  readonly debugger?: StepDebugger | undefined;
}

/** What a build has made. */
export interface BuildResult {
  /** The image or index in the store; if none was to go there, the image, if there is only one. */
  readonly image: Digest | undefined;
  /** What exporters say, by BuildKit's names: `containerimage.digest`, `containerimage.config.digest`, `image.name`. */
  readonly metadata: ReadonlyMap<string, string>;
  /** What was made for outputs, by their number in the request; without those that only files came out of. */
  readonly images: ReadonlyMap<number, OutputImage>;
  /** What is to be known of how it was made. */
  readonly facts: BuildFacts;
  /** Names of build arguments that no ARG asks for. */
  readonly unusedArgs: readonly string[];
}

/** Makes images from Dockerfiles. */
export class Builder {
  readonly #solve: SolveParts;
  readonly #outputs: StoreParts;
  readonly #keeper: CacheKeeper;
  readonly #remotes: RemoteContexts;

  constructor(parts: {
    solve: SolveParts;
    outputs: StoreParts;
    keeper: CacheKeeper;
    remotes: RemoteContexts;
  }) {
    this.#solve = parts.solve;
    this.#outputs = parts.outputs;
    this.#keeper = parts.keeper;
    this.#remotes = parts.remotes;
  }

  /**
   * Carries out a build. Throws `DockerfileError` for what is wrong with the Dockerfile and for steps that fail (then with a
   * `StepError` as its cause if a process failed), `invalid` for what is wrong with the request, the signal's reason.
   */
  async build(request: BuildRequest, control: BuildControl): Promise<BuildResult> {
    const { signal, progress } = control;
    signal.throwIfAborted();
    const epoch = epochOf(request);
    for (const output of request.outputs) checkOutput(output);
    const attest = readAttestOptions(request.attestations);
    const loaded = await loadDockerfile(request, { signal, progress });
    void progress(dockerfileEvent(loaded.dockerfile));
    using exchange = new CacheExchange(this.#outputs);
    const targets = exchange.targets(request);
    const ended = new AbortController();
    using _stop = { [Symbol.dispose]: () => ended.abort(new Error('the build has ended')) };
    const imported = exchange.import({
      request,
      progress,
      signal: AbortSignal.any([signal, ended.signal]),
    });
    // Whoever needs it hears of a failure.
    imported.catch(() => {});
    await using run = new BuildRun(this.#solve, {
      ...control,
      imported,
      request,
      source: loaded.dockerfile.source,
      epoch,
    });
    const plans = await plansOf(request, loaded, { run, progress });
    const announced = new Set<Digest>();
    for (const { instructions, tree } of plans) {
      void progress({ kind: 'plan', instructions });
      if (tree !== undefined) run.announce(tree, announced);
    }
    const made = await Promise.all(plans.map((plan) => this.#make(plan, { run, epoch, request, signal })));
    const { layers } = this.#solve;
    const isInline = targets.some(({ kind }) => kind === 'inline');
    const images = isInline ? made.map((image) => run.cached.inline(image, layers)) : made;
    signal.throwIfAborted();
    const facts = run.witness.facts(request, {
      source: loaded.dockerfile.source,
      results: new Map(plans.map(({ platform, tree }) => [formatPlatform(platform), tree])),
    });
    const sent = await this.#send(images, { request, progress, signal, facts, attest });
    const { metadata } = sent;
    const results = run.cached.forExport(images, layers);
    const told = await exchange.export(targets, results, { request, signal, progress });
    for (const [key, value] of told) metadata.set(key, value);
    await imported;
    const image = sent.stored ?? metadata.get('containerimage.config.digest');
    this.#keeper.collectLater();
    return {
      image: image === undefined ? undefined : parseDigest(image),
      metadata,
      images: sent.images,
      facts,
      unusedArgs: plans[0]?.unusedArgs ?? [],
    };
  }

  /** The context that a URL names: a repository, an archive, a Dockerfile. Undefined: it is no such URL. Throws `invalid`. */
  remoteContext(url: string, access: RemoteAccess): BuildContext | undefined {
    return this.#remotes.of(url, access);
  }

  /** The directory of a cache mount, by its id in `usage`, as an archive for `importCacheMount`. Throws `notFound`. */
  exportCacheMount(id: string): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#keeper.exportMount(id);
  }

  /** Makes a cache mount of an archive; its id. Throws `invalid`, `conflict` while a step uses what it replaces. */
  importCacheMount(
    bytes: AsyncIterable<Uint8Array>,
    options: { readonly signal: AbortSignal },
  ): Promise<{ readonly id: string; readonly name: string }> {
    return this.#keeper.importMount(bytes, options);
  }

  /** What an image in the store says of how it is run, by its name; undefined: it is not there. */
  imageConfig(name: string, platform: Platform): ImageRuntimeConfig | undefined {
    return this.#solve.images.known(name, platform)?.config.config;
  }

  /** How much the cache may keep when nobody asks; undefined: all. */
  get budget(): CacheBudget | undefined {
    return this.#keeper.budget;
  }

  /** What the cache has. */
  usage(): Promise<CacheRecord[]> {
    return this.#keeper.usage();
  }

  /** Removes what the request names, as far as no build works with it. */
  prune(request: PruneRequest): Promise<PruneResult> {
    return this.#keeper.prune(request);
  }

  async #make(
    plan: BuildPlan,
    {
      run,
      epoch,
      request,
      signal,
    }: { run: BuildRun; epoch: number | undefined; request: BuildRequest; signal: AbortSignal },
  ): Promise<PlatformImage> {
    if (plan.tree !== undefined) await run.layer(plan.tree);
    const { layers } = this.#solve;
    const { hold } = run;
    return makeImage({
      plan,
      epoch,
      layers,
      resultOf: (node) => run.layer(node),
      squash: request.squash
        ? (base, top) => squash(this.#solve, { base, top, hold, epoch, signal })
        : undefined,
    });
  }

  async #send(
    images: readonly PlatformImage[],
    { request, progress, signal, facts, attest: options }: BuildControl & SendInput,
  ): Promise<SentResults> {
    const metadata = new Map<string, string>();
    let stored: Digest | undefined;
    const sent = new Map<number, OutputImage>();
    const { roots } = this.#outputs;
    const attestations = new ResultAttestations({ options, facts, roots, signal });
    for (const [index, output] of request.outputs.entries()) {
      if (output.kind === 'cacheonly') continue;
      const name = output.kind === 'image' ? 'exporting to image' : `exporting to ${output.kind}`;
      const report = new VertexReport({ digest: digestOf(`output ${index}`), name, inputs: [] }, progress);
      const said = await report.during(() =>
        sendOutput(output, images, {
          parts: this.#outputs,
          report,
          attestations,
          auth: request.registryAuth,
          signal,
        }),
      );
      for (const [key, value] of said.metadata) metadata.set(key, value);
      if (said.image !== undefined) sent.set(index, said.image);
      stored = said.stored ?? stored;
    }
    return { metadata, images: sent, stored };
  }
}

interface SendInput {
  readonly request: BuildRequest;
  readonly facts: BuildFacts;
  readonly attest: AttestOptions;
}

/** What has become of all outputs. */
interface SentResults {
  readonly metadata: Map<string, string>;
  readonly images: ReadonlyMap<number, OutputImage>;
  readonly stored: Digest | undefined;
}

/** Plans all platforms, and tells on the way what could be better in the Dockerfile. */
async function plansOf(
  request: BuildRequest,
  { dockerfile, excludes, vertex }: LoadedDockerfile,
  { run, progress }: { run: BuildRun; progress: ProgressSink },
): Promise<BuildPlan[]> {
  const config = lintConfigOf(dockerfile, request.args);
  const platforms: readonly Platform[] =
    request.platforms.length === 0 ? [hostPlatform()] : request.platforms;
  const sources = new PlanSources(request, { excludes, lookup: (node) => run.imageConfig(node) });
  const isMultiPlatform = platforms.length > 1;
  const findings: PlanFindings = { stages: new Set(), images: new Map() };
  const planned = await Promise.allSettled(
    platforms.map((platform) =>
      planBuild({ dockerfile, request, platform, sources, isMultiPlatform, findings }),
    ),
  );
  const [platform = hostPlatform()] = platforms;
  const found = lintBuild({ dockerfile, vertex, request, excludes, platform, findings }, config);
  const foreign = foreignFrontEnd(dockerfile, vertex);
  for (const warning of [...(foreign === undefined ? [] : [foreign]), ...found.warnings])
    void progress(warning);
  const plans = planned.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
  if (found.violation !== undefined) throw found.violation;
  return plans;
}

/** The time that everything is to have, in seconds since 1970, if the client gives one. */
function epochOf({ args }: BuildRequest): number | undefined {
  const text = args.get('SOURCE_DATE_EPOCH') ?? '';
  if (text === '') return undefined;
  const epoch = Number(text);
  if (!/^\d+$/.test(text) || epoch > 253402300799) throw invalid(`invalid SOURCE_DATE_EPOCH: ${text}`);
  return epoch;
}
