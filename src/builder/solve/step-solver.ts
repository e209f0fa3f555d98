import { messageOf } from '#/base/errors.ts';
import { nowText } from '#/base/time.ts';
import type { Digest } from '#/oci/digest.ts';
import type { ChainId } from '#/storage/chain-id.ts';
import type { Hold } from '#/storage/holds.ts';
import { buildKey } from '#/storage/unpack-key.ts';
import type { ImportedCache, ImportedRecord } from '../cache/exchange/imported-cache.ts';
import { type KeyDocument, keyOf } from '../cache/key.ts';
import type { StepDebugger } from '../debugger.ts';
import type { ReadySource } from '../ops/files/file-ops.ts';
import type { SourceTree } from '../ops/run/definition.ts';
import { NetworkPool } from '../ops/run/network-pool.ts';
import type { StepNode, TreeInput } from '../plan/graph.ts';
import type { Status } from '../progress.ts';
import type { BuildRequest } from '../request.ts';
import { carryOut } from './carry-out.ts';
import { Explanation, hitLines } from './explanation.ts';
import type { FlightControl } from './flights.ts';
import { keyDocument } from './key-document.ts';
import { RemoteFiles, type RemoteInput } from './remote-files.ts';
import type { SolveParts, StepOutput, StepResult } from './solve-parts.ts';
import type { VertexReport } from './vertex-report.ts';
import type { Witness } from './witness.ts';

/** What the steps of one build share. */
export interface StepScope {
  readonly request: BuildRequest;
  /** Ends the build. */
  readonly signal: AbortSignal;
  /** Seconds since 1970: the time of everything that is made, if it is to be the same each time. */
  readonly epoch: number | undefined;
  readonly debugger: StepDebugger | undefined;
  /** What other places have of results, once they have been asked. */
  readonly imported: Promise<ImportedCache>;
  /** Keeps the results. */
  readonly hold: Hold<ChainId>;
  /** Hears what was fetched. */
  readonly witness: Witness;
}

/** What a step is made with. */
export interface StepInputs {
  /** The layer that it changes; undefined: nothing is there yet, or it has no say. */
  readonly parent: ChainId | undefined;
  /** The layer whose files say which numbers users have. */
  readonly users: ChainId | undefined;
  readonly treeOf: (input: TreeInput) => SourceTree;
  readonly report: VertexReport;
}

/** The result of a step, and what there is to tell of it. */
export interface SolvedStep extends StepResult {
  readonly key: Digest;
  readonly cached: boolean;
  /** Why the cache had it or not, if that was asked. */
  readonly explanation: readonly string[] | undefined;
}

/** Finds the results of one build's steps, or makes them. */
export class StepSolver implements AsyncDisposable {
  readonly #parts: SolveParts;
  readonly #scope: StepScope;
  readonly #stack = new AsyncDisposableStack();
  readonly #pool: NetworkPool;
  readonly #remotes: RemoteFiles;
  /** Steps that this build has begun; other builds may wait for them. */
  readonly #begun = new Set<Promise<unknown>>();
  readonly #hits = new Set<Digest>();

  constructor(parts: SolveParts, scope: StepScope) {
    this.#parts = parts;
    this.#scope = scope;
    this.#pool = this.#stack.use(new NetworkPool(parts.steps));
    this.#remotes = this.#stack.use(new RemoteFiles({ ...parts, witness: scope.witness }, scope.request));
  }

  /** The result of a step: from the cache, from elsewhere, from a build that makes it at this moment, or made now. */
  async solve(node: StepNode, inputs: StepInputs): Promise<SolvedStep> {
    const { cache } = this.#parts;
    const { request, debugger: watcher, hold } = this.#scope;
    const document = await this.#document(node, inputs);
    const key = keyOf(document);
    const isWatched = watcher?.stopsBefore(node.name) === true;
    const anew = node.noCache || isWatched;
    const found = anew ? undefined : cache.find(key);
    if (found !== undefined) {
      if (found.layer !== undefined) hold.add(found.layer);
      this.#hits.add(key);
      const explanation = request.explain ? hitLines(node, found) : undefined;
      return { key, chainId: found.layer, created: found.created, cached: true, explanation };
    }
    const { parent } = inputs;
    const why = request.explain ? new Explanation(this.#parts, { node, key, document, parent }) : undefined;
    const record = anew ? undefined : (await this.#scope.imported).find(key);
    const step: SearchedStep = { node, key, document, inputs, record, isWatched };
    // Who wants it done anew does not want what somebody else has begun before.
    const { cached, ...result } = await this.#inFlight(anew ? buildKey() : key, step);
    if (result.chainId !== undefined) hold.add(result.chainId);
    const elsewhere = [`cached elsewhere: made at ${result.created}`];
    const explanation = why && (cached ? elsewhere : await why.lines(result.chainId));
    return { ...result, key, cached, explanation };
  }

  /** Waits for what is still going on, and lets go of everything. The signal has ended the build. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#begun);
    this.#parts.cache.use([...this.#hits]);
    await this.#stack.disposeAsync();
  }

  #document(node: StepNode, { parent, users, treeOf, report }: StepInputs): Promise<KeyDocument> {
    const { files } = this.#parts;
    const { request, epoch, signal } = this.#scope;
    return keyDocument(node, {
      parent: parent ?? 'scratch',
      defaults: request.run,
      epoch,
      treeOf,
      ownerOf: (chown) => files.owner(chown, users),
      contentOf: (tree, wish) => files.digest(tree, wish, { signal }),
      downloadOf: (source) => this.#remotes.identify(source, fetching(report, signal)),
    });
  }

  /** Does what is to be done for a step that the cache does not have, together with other builds that want the same. */
  async #inFlight(flight: string, step: SearchedStep): Promise<StepResult & { cached: boolean }> {
    const { report } = step.inputs;
    const listener = ({ stream, data }: StepOutput): undefined | Promise<void> => report.log(stream, data);
    let cached = false;
    const begin = (control: FlightControl<StepOutput>): Promise<StepResult> => {
      const done = this.#work(step, control, () => {
        cached = true;
      });
      this.#begun.add(done);
      return done;
    };
    const { signal } = this.#scope;
    const result = await this.#parts.flights.join(flight, begin, { signal, listener });
    return { ...result, cached };
  }

  async #work(
    step: SearchedStep,
    control: FlightControl<StepOutput>,
    onFetched: () => void,
  ): Promise<StepResult> {
    const { node, inputs, record, isWatched } = step;
    const { parent, report } = inputs;
    const { request, epoch, debugger: watcher } = this.#scope;
    const { signal } = control;
    using hold = this.#parts.layers.hold();
    const fetched = record && (await this.#fetch(record, { parent, hold, signal, report }));
    if (record !== undefined && fetched !== undefined) {
      const { created } = record;
      this.#keep(step, { created, chainId: fetched });
      onFetched();
      return { chainId: fetched, created };
    }
    const fetch = (source: RemoteInput): Promise<ReadySource> =>
      this.#remotes.fetch(source, fetching(report, signal));
    const { chainId } = await carryOut(
      this.#parts,
      {
        ...inputs,
        node,
        epoch,
        fetch,
        request,
        hold,
        debugger: watcher,
        pool: this.#pool,
        snapshot: buildKey(),
      },
      control,
    );
    const created = nowText();
    // Whoever looked into the step may have changed its files: nobody else is to get them.
    if (isWatched) this.#scope.hold.add(chainId);
    else this.#keep(step, { created, chainId });
    return { chainId, created };
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
      const layer = await (await this.#scope.imported).fetch(record, wanted);
      report.status({ id: blob, current: size, total: size, started, completed: new Date() });
      return layer;
    } catch (error) {
      wanted.signal.throwIfAborted();
      void report.log(2, Buffer.from(`cannot use the cache: ${messageOf(error)}\n`));
      return undefined;
    }
  }

  #keep(
    { node, key, document, inputs: { parent } }: SearchedStep,
    { created, chainId }: { created: string; chainId: ChainId },
  ): void {
    const { name: description, place } = node;
    const size = this.#parts.layers.get(chainId)?.size ?? 0;
    const entry = { key, layer: chainId, parent, place, description, inputs: document, created, size };
    this.#parts.cache.put(entry);
    this.#scope.hold.add(chainId);
  }
}

/** A step that the cache does not have. */
interface SearchedStep {
  readonly node: StepNode;
  readonly key: Digest;
  readonly document: KeyDocument;
  readonly inputs: StepInputs;
  /** Where else its result is. */
  readonly record: ImportedRecord | undefined;
  /** Somebody looks into it. */
  readonly isWatched: boolean;
}

function fetching(
  report: VertexReport,
  signal: AbortSignal,
): { readonly signal: AbortSignal; readonly progress: (status: Status) => void } {
  return { signal, progress: (status) => report.status(status) };
}
