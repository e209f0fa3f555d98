import { extractTar } from '#/storage/archive/extract.ts';
import { packTree } from '#/storage/archive/pack-tree.ts';
import type { ChainId } from '#/storage/chain-id.ts';
import type { Hold } from '#/storage/holds.ts';
import type { Layers } from '#/storage/layers.ts';
import { buildKey } from '#/storage/unpack-key.ts';
import { openPlace, placeTree } from '../ops/run/bind-place.ts';
import type { StepParts } from '../ops/step-parts.ts';

/** What is to become one layer. */
export interface SquashRequest {
  /** Stays as it is; undefined: there is nothing. */
  readonly base: ChainId | undefined;
  readonly top: ChainId;
  /** Keeps the result. */
  readonly hold: Hold<ChainId>;
  /** Seconds since 1970; later times become this one. */
  readonly epoch: number | undefined;
  readonly signal: AbortSignal;
}

/** Makes one layer of all that lies between two: what `top` has other than `base`. The same two give the same layer. */
export async function squash(
  { steps, layers }: { steps: StepParts; layers: Layers },
  { base, top, hold, epoch, signal }: SquashRequest,
): Promise<ChainId> {
  const { snapshots } = steps;
  await using place = openPlace(steps);
  const view = (chainId: ChainId | undefined): Promise<string> =>
    placeTree(steps, place, { tree: { kind: 'layer', chainId }, writable: false });
  const [path, before] = [await view(top), await view(base)];
  const key = buildKey();
  await snapshots.prepare(key, base);
  try {
    const { root, whiteouts, lowers } = snapshots.layerTarget(key);
    await extractTar(packTree({ kind: 'difference', path, before }), { root, whiteouts, lowers, signal });
    const layer = await layers.commitBuilt(key, { parent: base, newest: epoch, hold, signal });
    return layer.chainId;
  } finally {
    if (snapshots.exists(key)) await snapshots.remove(key);
  }
}
