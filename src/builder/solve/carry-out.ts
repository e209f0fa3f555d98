import { EngineError } from '#/base/errors.ts';
import { goQuote } from '#/base/go-quote.ts';
import type { ChainId } from '#/storage/chain-id.ts';
import type { Hold } from '#/storage/holds.ts';
import type { Layer } from '#/storage/layer-table.ts';
import type { StartInside, StepDebugger } from '../debugger.ts';
import type { ReadySource } from '../ops/files/file-ops.ts';
import type { RunMount, SourceTree } from '../ops/run/definition.ts';
import type { NetworkPool } from '../ops/run/network-pool.ts';
import { type RunControl, runStep } from '../ops/run/run.ts';
import type { CopyNode, RunNode, StepNode, TreeInput } from '../plan/graph.ts';
import type { BuildRequest } from '../request.ts';
import { NotLentError, StepError } from '../step-error.ts';
import { WordedError } from '../worded-error.ts';
import type { FlightControl } from './flights.ts';
import type { RemoteInput } from './remote-files.ts';
import type { SolveParts, StepOutput } from './solve-parts.ts';

/** A step whose inputs are there. */
export interface ReadyStep {
  readonly node: StepNode;
  /** What it changes; undefined: nothing is there yet, or it has no say. */
  readonly parent: ChainId | undefined;
  /** The layer whose files say which numbers users have. */
  readonly users: ChainId | undefined;
  readonly treeOf: (input: TreeInput) => SourceTree;
  readonly epoch: number | undefined;
  readonly fetch: (source: RemoteInput) => Promise<ReadySource>;
  readonly request: BuildRequest;
  readonly pool: NetworkPool;
  readonly debugger: StepDebugger | undefined;
  /** The name of a snapshot that is to be made. */
  readonly snapshot: string;
  /** Keeps the result. */
  readonly hold: Hold<ChainId>;
}

/** Does what a step says, and makes a layer of what it changed. A failure leaves nothing. */
export async function carryOut(
  parts: SolveParts,
  step: ReadyStep,
  control: FlightControl<StepOutput>,
): Promise<Layer> {
  const { snapshots } = parts.steps;
  const { snapshot, parent, hold, epoch } = step;
  const { signal } = control;
  if (parent !== undefined) hold.add(parent);
  await snapshots.prepare(snapshot, parent);
  try {
    await change(parts, step, control);
    return await parts.layers.commitBuilt(snapshot, { parent, newest: epoch, hold, signal });
  } finally {
    if (snapshots.exists(snapshot)) await snapshots.remove(snapshot);
  }
}

async function change(parts: SolveParts, step: ReadyStep, control: FlightControl<StepOutput>): Promise<void> {
  const { node, snapshot, users, epoch } = step;
  const { signal } = control;
  switch (node.kind) {
    case 'run':
      return run(parts, { step, node }, control);
    case 'copy': {
      const sources = await Promise.all(node.sources.map((source) => copySource(source, step)));
      return parts.files.copy({ snapshot, users, node, sources, epoch }, { signal });
    }
    case 'directory':
      return parts.files.makeDirectory({ snapshot, users, node, epoch });
    default:
      return node satisfies never;
  }
}

async function run(
  parts: SolveParts,
  { step, node }: { step: ReadyStep; node: RunNode },
  { signal, tell }: FlightControl<StepOutput>,
): Promise<void> {
  const { request, pool, snapshot, treeOf } = step;
  const mounts = node.mounts.map((mount): RunMount => {
    if (mount.kind === 'bind') return { ...mount, tree: treeOf(mount.from) };
    if (mount.kind === 'cache') return { ...mount, tree: mount.from && treeOf(mount.from) };
    return mount;
  });
  const definition = { ...node.run, env: [...node.hiddenEnv, ...node.run.env], mounts };
  const sources = { secrets: request.secrets, ssh: request.ssh };
  using _slot = await parts.slots.acquire({ signal });
  try {
    await runStep(
      parts.steps,
      { snapshot, definition, defaults: request.run, sources, pool },
      { signal, output: (stream, data) => tell({ stream, data }), ...watched({ step, node, signal }) },
    );
  } catch (error) {
    if (!(error instanceof EngineError) || error instanceof StepError) throw error;
    if (error instanceof NotLentError) throw error;
    const command = goQuote(definition.args.join(' '));
    throw new WordedError(`process ${command} did not complete successfully: ${error.message}`, error);
  }
}

/** Lets somebody look into the step. */
function watched({
  step: { debugger: watcher },
  node,
  signal,
}: {
  step: ReadyStep;
  node: RunNode;
  signal: AbortSignal;
}): Pick<RunControl, 'onReady' | 'onFailure'> {
  if (watcher === undefined) return {};
  const { digest: vertex, name, run: definition } = node;
  const stop = (error: unknown, start: StartInside): Promise<void> =>
    watcher.stopped({ vertex, name, command: definition.args, error, start }, { signal });
  return {
    ...(watcher.stopsBefore(name) && { onReady: (start) => stop(undefined, start) }),
    ...(watcher.stopsOnFailure && { onFailure: stop }),
  };
}

async function copySource(
  source: CopyNode['sources'][number],
  { treeOf, fetch }: ReadyStep,
): Promise<ReadySource> {
  switch (source.kind) {
    case 'files':
      return { kind: 'tree', tree: treeOf(source.from), pattern: source.pattern };
    case 'inline':
      return source;
    case 'url':
    case 'git':
      return fetch(source);
    default:
      return source satisfies never;
  }
}
