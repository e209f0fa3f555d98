import { EngineError } from '#/base/errors.ts';
import { nowText } from '#/base/time.ts';
import { placed } from '#/dockerfile/errors.ts';
import type { SourceText } from '#/dockerfile/source.ts';
import type { Digest } from '#/oci/digest.ts';
import type { ImageConfig } from '#/oci/image-config.ts';
import type { ChainId } from '#/storage/chain-id.ts';
import type { Hold } from '#/storage/holds.ts';
import type { ImportedCache } from '../cache/exchange/imported-cache.ts';
import type { StepDebugger } from '../debugger.ts';
import type { SourceTree } from '../ops/run/definition.ts';
import {
  type ContextNode,
  type ImageNode,
  inputsOf,
  isLinked,
  needsUsers,
  type PlanNode,
  type StepNode,
  sourcesOf,
  type TreeInput,
} from '../plan/graph.ts';
import type { ProgressSink } from '../progress.ts';
import type { BuildRequest } from '../request.ts';
import { loadBaseImage } from './base-image.ts';
import { CachedResults } from './cached-results.ts';
import type { SolveParts, StepResult } from './solve-parts.ts';
import { hintFor } from './step-hint.ts';
import { type SolvedStep, StepSolver } from './step-solver.ts';
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
  readonly #steps: StepSolver;
  /** Knows what was used and done. */
  readonly witness: Witness = new Witness();
  /** Knows what came of all steps. */
  readonly cached: CachedResults = new CachedResults();

  constructor(parts: SolveParts, input: RunInput) {
    this.#parts = parts;
    this.#input = input;
    this.#signal = AbortSignal.any([input.signal, this.#failed.signal]);
    this.hold = this.#stack.use(parts.layers.hold());
    const { request, epoch, imported, debugger: watcher } = input;
    const { hold, witness } = this;
    const shared = { request, signal: this.#signal, epoch, debugger: watcher, imported, hold, witness };
    this.#steps = new StepSolver(parts, shared);
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
    await this.#steps[Symbol.asyncDispose]();
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
    // What a linked step is put on is made meanwhile.
    if (node.parent !== undefined) void this.result(node.parent);
    const { key, chainId: own, created } = await this.#solved(node, report);
    const chainId = isLinked(node) ? await this.#stacked(node, { own, report }) : own;
    this.witness.step(node);
    const { place, name: description } = node;
    if (own !== undefined) this.cached.add({ key, layer: own, created, place, description }, chainId);
    return { kind: 'layer', chainId, created };
  }

  async #solved(node: StepNode, report: VertexReport): Promise<SolvedStep> {
    const inputs = new Map<PlanNode, NodeResult>();
    const needed = isLinked(node) && !needsUsers(node) ? sourcesOf(node) : inputsOf(node);
    await Promise.all(needed.map(async (input) => inputs.set(input, await this.#inputOf(node, input))));
    report.start();
    try {
      const treeOf = (input: TreeInput): SourceTree =>
        input === 'scratch' ? { kind: 'layer', chainId: undefined } : treeIn(inputs, input);
      const below = node.parent && inputs.has(node.parent) ? layerOf(treeOf(node.parent)) : undefined;
      const parent = isLinked(node) ? undefined : below;
      const solved = await this.#steps.solve(node, { parent, users: below, treeOf, report });
      const { cached, explanation, chainId: result } = solved;
      report.end({ cached, result, explanation });
      return solved;
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

  /** The layer that a linked step has made, on top of what is below it. */
  async #stacked(
    node: StepNode,
    { own, report }: { own: ChainId | undefined; report: VertexReport },
  ): Promise<ChainId | undefined> {
    const parent = node.parent && layerOf(await this.#inputOf(node, node.parent));
    if (own === undefined || parent === undefined) return own ?? parent;
    try {
      const { hold } = this;
      const { chainId } = await this.#parts.layers.stack(own, { parent, hold, signal: this.#signal });
      return chainId;
    } catch (error) {
      report.end({ error });
      throw this.#located(node, error);
    }
  }

  #located(node: StepNode, error: unknown): unknown {
    if (!(error instanceof EngineError) || node.range === undefined) return error;
    const place = { source: this.#input.source, range: node.range };
    const hint = hintFor(node, error);
    return placed(error, hint === undefined ? place : { ...place, hint });
  }
}

/** The layer that a tree is. */
function layerOf(tree: SourceTree): ChainId | undefined {
  if (tree.kind === 'directory') throw new Error('a step builds on what is no layer');
  return tree.chainId;
}

function treeIn(inputs: ReadonlyMap<PlanNode, NodeResult>, node: PlanNode): SourceTree {
  const found = inputs.get(node);
  if (found === undefined) throw new Error(`${node.name} is no input`);
  return found;
}
