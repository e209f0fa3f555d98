import { EngineError, messageOf } from '#/base/errors.ts';
import { nowText } from '#/base/time.ts';
import { placed } from '#/dockerfile/errors.ts';
import type { SourceText } from '#/dockerfile/source.ts';
import type { Digest } from '#/oci/digest.ts';
import type { ImageConfig } from '#/oci/image-config.ts';
import type { ChainId } from '#/storage/chain-id.ts';
import type { Hold } from '#/storage/holds.ts';
import { buildKey } from '#/storage/unpack-key.ts';
import type { ImportedCache, ImportedRecord } from '../cache/exchange/imported-cache.ts';
import { type KeyDocument, keyOf } from '../cache/key.ts';
import type { StepDebugger } from '../debugger.ts';
import type { ReadySource } from '../ops/files/file-ops.ts';
import type { SourceTree } from '../ops/run/definition.ts';
import { NetworkPool } from '../ops/run/network-pool.ts';
import {
  type ContextNode,
  type ImageNode,
  inputsOf,
  type PlanNode,
  type StepNode,
  type TreeInput,
} from '../plan/graph.ts';
import type { ProgressSink, Status } from '../progress.ts';
import type { BuildRequest } from '../request.ts';
import { loadBaseImage } from './base-image.ts';
import { CachedResults } from './cached-results.ts';
import { carryOut } from './carry-out.ts';
import { Explanation } from './explanation.ts';
import { keyDocument } from './key-document.ts';
import { RemoteFiles, type RemoteInput } from './remote-files.ts';
import type { SolveParts, StepOutput, StepResult } from './solve-parts.ts';
import { hintFor } from './step-hint.ts';
import { VertexReport } from './vertex-report.ts';
import { Witness } from './witness.ts';

/** What a node comes to: files, and for a layer when it was made. */
type NodeResult = SourceTree & { readonly created?: string; readonly config?: ImageConfig };

/** A build whose graph is being worked on. */
export interface RunInput {
  readonly request: BuildRequest;
  readonly signal: AbortSignal;
  readonly progress: ProgressSink;
  /** For the places of errors. */
  readonly source: SourceText;
  /** Seconds since 1970: the time of everything that is made, if it is to be the same each time. */
  readonly epoch: number | undefined;
  readonly debugger?: StepDebugger | undefined;
  /** What other places have of results, once they have been asked. */
  readonly imported: Promise<ImportedCache>;
}

/**
 * The graph of one build: each node once, its inputs first, those that do not wait for each other at the same time. What
 * other builds do at the moment is waited for instead of done again. The first failure ends the rest.
 */
export class BuildRun implements AsyncDisposable {
  readonly #parts: SolveParts;
  readonly #input: RunInput;
  readonly #signal: AbortSignal;
  readonly #failed = new AbortController();
  readonly #results = new Map<Digest, Promise<NodeResult>>();
  readonly #stack = new AsyncDisposableStack();
  /** Keeps what the build has made until this is disposed of. */
  readonly hold: Hold<ChainId>;
  readonly #pool: NetworkPool;
  readonly #remotes: RemoteFiles;
  /** Steps that this build has begun; other builds may wait for them. */
  readonly #begun = new Set<Promise<unknown>>();
  readonly #hits = new Set<Digest>();
  /** Knows what was used and done. */
  readonly witness: Witness = new Witness();
  /** Knows what came of all steps. */
  readonly cached: CachedResults = new CachedResults();

  constructor(parts: SolveParts, input: RunInput) {
    this.#parts = parts;
    this.#input = input;
    this.#signal = AbortSignal.any([input.signal, this.#failed.signal]);
    this.hold = this.#stack.use(parts.layers.hold());
    this.#pool = this.#stack.use(new NetworkPool(parts.steps));
    this.#remotes = this.#stack.use(new RemoteFiles({ ...parts, witness: this.witness }, input.request));
  }

  /** Tells of everything that there is to do for a node, inputs first. */
  announce(node: PlanNode, known: Set<Digest>): void {
    if (known.has(node.digest) || this.#results.has(node.digest)) return;
    known.add(node.digest);
    for (const input of inputsOf(node)) this.announce(input, known);
    VertexReport.of(node, this.#input.progress).announce();
  }

  /** The files of a node, made if need be. They are kept until this is disposed of. */
  result(node: PlanNode): Promise<NodeResult> {
    const known = this.#results.get(node.digest);
    if (known !== undefined) return known;
    const result = this.#make(node);
    result.catch((error: unknown) => this.#failed.abort(error));
    this.#results.set(node.digest, result);
    return result;
  }

  /** The layer of a step, made if need be. */
  async layer(node: PlanNode): Promise<StepResult> {
    const result = await this.result(node);
    if (result.kind !== 'layer') throw new Error(`${node.name} is no layer`);
    return { chainId: result.chainId, created: result.created ?? nowText() };
  }

  /** What an image says of itself. */
  async imageConfig(node: ImageNode): Promise<ImageConfig> {
    const { config } = await this.result(node);
    if (config === undefined) throw new Error(`${node.name} is no image`);
    return config;
  }

  /** Ends what is still going on, waits for it, and lets go of everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#failed.abort(new Error('the build has ended'));
    await Promise.allSettled(this.#results.values());
    await Promise.allSettled(this.#begun);
    this.#parts.cache.use([...this.#hits]);
    await this.#stack.disposeAsync();
  }

  #make(node: PlanNode): Promise<NodeResult> {
    switch (node.kind) {
      case 'image':
        return this.#image(node);
      case 'context':
        return this.#context(node);
      case 'run':
      case 'copy':
      case 'directory':
        return this.#step(node);
      default:
        return node satisfies never;
    }
  }

  async #image(node: ImageNode): Promise<NodeResult> {
    const { request, progress } = this.#input;
    const { images } = this.#parts;
    const image = await loadBaseImage(node, { images, request, progress, signal: this.#signal });
    const { chainId } = image;
    if (node.layout === undefined)
      this.witness.image(node.reference, { image, platform: node.platform, images: this.#parts.imageStore });
    if (chainId !== undefined) {
      this.hold.add(chainId);
      if (this.#parts.layers.usable(chainId) === undefined) await this.#parts.layers.restore(chainId);
    }
    return { kind: 'layer', chainId, config: image.config };
  }

  async #context(node: ContextNode): Promise<NodeResult> {
    const report = VertexReport.of(node, this.#input.progress);
    const tree = await report.during(() =>
      node.context.open(node.wish(), {
        signal: this.#signal,
        progress: (status) => report.status(status),
      }),
    );
    this.#stack.use(tree);
    const { root, isShared = false, version } = tree;
    return { kind: 'directory', root, isShared, version };
  }

  async #step(node: StepNode): Promise<NodeResult> {
    const report = VertexReport.of(node, this.#input.progress);
    const inputs = new Map<PlanNode, NodeResult>();
    await Promise.all(
      inputsOf(node).map(async (input) => inputs.set(input, await this.#inputOf(node, input))),
    );
    report.start();
    try {
      const { cached, explanation, key, ...result } = await this.#solve(node, { inputs, report });
      report.end({ cached, result: result.chainId, explanation });
      this.witness.step(node);
      const { place, name: description } = node;
      const { chainId: layer, created } = result;
      if (layer !== undefined) this.cached.add({ key, layer, created, place, description });
      return { kind: 'layer', ...result };
    } catch (error) {
      report.end({ error });
      throw this.#located(node, error);
    }
  }

  /** What a step needs. That an image cannot be had is told with the place that names it. */
  async #inputOf(node: StepNode, input: PlanNode): Promise<NodeResult> {
    try {
      return await this.result(input);
    } catch (error) {
      throw input.kind === 'image' ? this.#located(node, error) : error;
    }
  }

  /** The result of a step: from the cache, from a build that makes it at this moment, or made now. */
  async #solve(
    node: StepNode,
    { inputs, report }: { inputs: ReadonlyMap<PlanNode, NodeResult>; report: VertexReport },
  ): Promise<StepResult & { key: Digest; cached: boolean; explanation: readonly string[] | undefined }> {
    const { cache, files, flights, layers } = this.#parts;
    const { request, epoch } = this.#input;
    const treeOf = (input: TreeInput): SourceTree =>
      input === 'scratch' ? { kind: 'layer', chainId: undefined } : treeIn(inputs, input);
    const base = node.parent === undefined ? undefined : treeOf(node.parent);
    if (base?.kind === 'directory') throw new Error(`${node.name} builds on what is no layer`);
    const parent = base?.chainId;
    const fetching = {
      signal: this.#signal,
      progress: (status: Status) => report.status(status),
    };
    const document = await keyDocument(node, {
      parent: parent ?? 'scratch',
      defaults: request.run,
      epoch,
      treeOf,
      contentOf: (tree, wish) => files.digest(tree, wish, { signal: this.#signal }),
      downloadOf: (source) => this.#remotes.identify(source, fetching),
    });
    const key = keyOf(document);
    const { debugger: watcher } = this.#input;
    const isWatched = watcher?.stopsBefore(node.name) === true;
    const anew = node.noCache || isWatched;
    const found = anew ? undefined : cache.find(key);
    if (found !== undefined) {
      if (found.layer !== undefined) this.hold.add(found.layer);
      this.#hits.add(key);
      const explanation = request.explain ? [`cached: made at ${found.created}`] : undefined;
      return { key, chainId: found.layer, created: found.created, cached: true, explanation };
    }
    const why = request.explain ? new Explanation(this.#parts, { node, key, document, parent }) : undefined;
    const listener = ({ stream, data }: StepOutput): undefined | Promise<void> => report.log(stream, data);
    const record = anew ? undefined : (await this.#input.imported).find(key);
    let cached = false;
    const work = async (control: Parameters<Parameters<typeof flights.join>[1]>[0]): Promise<StepResult> => {
      using hold = layers.hold();
      const fetched = record && (await this.#fetch(record, { parent, hold, signal: control.signal, report }));
      if (record !== undefined && fetched !== undefined) {
        const { created } = record;
        this.#keep(node, { key, parent, document, created, chainId: fetched });
        cached = true;
        return { chainId: fetched, created };
      }
      const fetch = (source: RemoteInput): Promise<ReadySource> =>
        this.#remotes.fetch(source, { ...fetching, signal: control.signal });
      const step = {
        node,
        debugger: watcher,
        parent,
        treeOf,
        epoch,
        fetch,
        request,
        pool: this.#pool,
        snapshot: buildKey(),
        hold,
      };
      const layer = await carryOut(this.#parts, step, control);
      const created = nowText();
      const { chainId } = layer;
      // Whoever looked into the step may have changed its files: nobody else is to get them.
      if (isWatched) this.hold.add(chainId);
      else this.#keep(node, { key, parent, document, created, chainId });
      return { chainId, created };
    };
    const begin: typeof work = (control) => {
      const done = work(control);
      this.#begun.add(done);
      return done;
    };
    // Who wants it done anew does not want what somebody else has begun before.
    const flight = anew ? buildKey() : key;
    const result = await flights.join(flight, begin, { signal: this.#signal, listener });
    if (result.chainId !== undefined) this.hold.add(result.chainId);
    const elsewhere = [`cached elsewhere: made at ${result.created}`];
    const explanation = why && (cached ? elsewhere : await why.lines(result.chainId));
    return { ...result, key, cached, explanation };
  }

  /** A result that another place has; undefined if it cannot be had, after all. */
  async #fetch(
    record: ImportedRecord,
    {
      report,
      ...wanted
    }: { parent: ChainId | undefined; hold: Hold<ChainId>; signal: AbortSignal; report: VertexReport },
  ): Promise<ChainId | undefined> {
    const { blob, size } = record;
    const started = new Date();
    report.status({ id: blob, current: 0, total: size, started });
    try {
      const layer = await (await this.#input.imported).fetch(record, wanted);
      report.status({ id: blob, current: size, total: size, started, completed: new Date() });
      return layer;
    } catch (error) {
      wanted.signal.throwIfAborted();
      void report.log(2, Buffer.from(`cannot use the cache: ${messageOf(error)}\n`));
      return undefined;
    }
  }

  #keep(
    node: StepNode,
    result: {
      key: Digest;
      parent: ChainId | undefined;
      document: KeyDocument;
      created: string;
      chainId: ChainId;
    },
  ): void {
    const { key, parent, document, created, chainId } = result;
    const { name: description, place } = node;
    const size = this.#parts.layers.get(chainId)?.size ?? 0;
    this.#parts.cache.put({
      key,
      layer: chainId,
      parent,
      place,
      description,
      inputs: document,
      created,
      size,
    });
    this.hold.add(chainId);
  }

  #located(node: StepNode, error: unknown): unknown {
    if (!(error instanceof EngineError) || node.range === undefined) return error;
    const place = { source: this.#input.source, range: node.range };
    const hint = hintFor(node, error);
    return placed(error, hint === undefined ? place : { ...place, hint });
  }
}

function treeIn(inputs: ReadonlyMap<PlanNode, NodeResult>, node: PlanNode): SourceTree {
  const found = inputs.get(node);
  if (found === undefined) throw new Error(`${node.name} is no input`);
  return found;
}
