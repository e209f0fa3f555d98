import type { Digest } from '#/oci/digest.ts';
import { encodeImageConfig } from '#/oci/image-config.ts';
import type { ChainId } from '#/storage/chain-id.ts';
import type { Layers } from '#/storage/layers.ts';
import type { PlanNode } from '../plan/graph.ts';
import type { BuildPlan } from '../plan/planner.ts';
import type { PlannedHistory } from '../plan/stage-state.ts';
import type { StepResult } from '../solve/solve-parts.ts';
import type { PlatformImage } from './image-package.ts';

/** `layer` tells that there is one. */
type Line = Omit<PlannedHistory, 'layer'> & { readonly layer: PlannedHistory['layer'] | 'squashed' };

/** What the configuration of an image is made from. */
export interface ConfigInput {
  readonly plan: BuildPlan;
  /** The result of a step of the plan. */
  readonly resultOf: (node: PlanNode) => Promise<StepResult>;
  readonly layers: Layers;
  /** Seconds since 1970: the time of all that was made. */
  readonly epoch: number | undefined;
  /** Instead of the layers of steps: one with all of them, on top of the base image's. */
  readonly squash?: ((base: ChainId | undefined, top: ChainId) => Promise<ChainId>) | undefined;
}

/** The image that a plan whose steps are done comes to. The same plan and results give the same bytes. */
export async function makeImage(input: ConfigInput): Promise<PlatformImage> {
  const { plan, resultOf, layers, epoch } = input;
  const { tree, state, platform } = plan;
  const top = tree === undefined ? undefined : (await resultOf(tree)).chainId;
  const told = timed(await Promise.all(state.history.map((line) => withTime(line, { resultOf, epoch }))));
  const { chainId, history } = await squashed(input, { top, history: told });
  const diffIds = chainId === undefined ? [] : layers.chain(chainId).map(({ diffId }) => diffId);
  const created = history.at(-1)?.created ?? (epoch === undefined ? undefined : timeOf(epoch));
  const configBytes = encodeImageConfig({
    ...platform,
    author: state.author,
    comment: '',
    dockerVersion: '',
    ...(created !== undefined && { created }),
    config: state.config,
    diffIds: checked(diffIds, history),
    history: history.map(({ created: time, layer, ...line }) => ({
      ...line,
      ...(time !== undefined && { created: time }),
      emptyLayer: layer === undefined,
    })),
  });
  return { platform, configBytes, chainId };
}

/** One layer and one line for all steps, as Docker's `--squash` has it; their own lines stay, without layers. */
async function squashed(
  { squash, layers }: ConfigInput,
  { top, history }: { top: ChainId | undefined; history: readonly Line[] },
): Promise<{ chainId: ChainId | undefined; history: readonly Line[] }> {
  const own = history.filter(({ layer }) => layer !== undefined && layer !== 'base').length;
  if (squash === undefined || top === undefined || own === 0) return { chainId: top, history };
  const below = layers.chain(top).at(-own - 1)?.chainId;
  const chainId = await squash(below, top);
  const created = history.findLast((line) => line.created !== undefined)?.created;
  const comment = `merge ${top} to ${below ?? 'scratch'}`;
  return {
    chainId,
    history: [
      ...history.map((line) => (line.layer === 'base' ? line : { ...line, layer: undefined })),
      { createdBy: '', comment, author: '', created, layer: 'squashed' },
    ],
  };
}

/** The time of `SOURCE_DATE_EPOCH` as documents have it. */
function timeOf(epoch: number): string {
  return new Date(epoch * 1000).toISOString().replace(/\.000Z$/, 'Z');
}

async function withTime(
  line: PlannedHistory,
  { resultOf, epoch }: Pick<ConfigInput, 'resultOf' | 'epoch'>,
): Promise<Line> {
  if (line.created !== undefined || line.layer === 'base') return line;
  if (epoch !== undefined) return { ...line, created: timeOf(epoch) };
  if (line.layer === undefined) return line;
  return { ...line, created: (await resultOf(line.layer)).created };
}

/**
 * Fills in times as BuildKit does: what made no layer has the time of the layer before it, what comes before the first new
 * layer the time of that one. So nothing depends on when the build took place, but on when its steps did.
 */
function timed(history: readonly Line[]): Line[] {
  const firstUnknown = history.findIndex(({ created }) => created === undefined);
  if (firstUnknown < 0) return [...history];
  const following = history.slice(firstUnknown).find(({ created }) => created !== undefined);
  const before = history.slice(0, firstUnknown).findLast(({ created }) => created !== undefined);
  let time = following?.created ?? before?.created;
  return history.map((line, index) => {
    if (line.created === undefined) return { ...line, created: time };
    if (index > firstUnknown) time = line.created;
    return line;
  });
}

/** Each layer has its line. */
function checked(diffIds: readonly Digest[], history: readonly Line[]): readonly Digest[] {
  const told = history.filter(({ layer }) => layer !== undefined).length;
  if (told !== diffIds.length)
    throw new Error(`the history tells of ${told} layers, but there are ${diffIds.length}`);
  return diffIds;
}
