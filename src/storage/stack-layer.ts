import { existsSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { notFound } from '#/base/errors.ts';
import type { KeyedLocks } from '#/base/locks.ts';
import { extractTar } from './archive/extract.ts';
import { recipeFile } from './archive/tar-recipe.ts';
import type { BuiltArchive } from './built-layers.ts';
import { type ChainId, chainIdOf } from './chain-id.ts';
import type { Hold } from './holds.ts';
import type { Layer } from './layer-table.ts';
import type { CommitBuiltOptions } from './layers.ts';
import type { Snapshotter } from './snapshots/snapshotter.ts';
import type { TreeThreads } from './tree/tree-threads.ts';
import { buildKey } from './unpack-key.ts';

/** Where a layer that was made alone is to go. */
export interface StackOptions {
  readonly parent: ChainId;
  /** Keeps the layer, until a row refers to it. */
  readonly hold: Hold<ChainId>;
  readonly signal: AbortSignal;
}

/** What layers are stacked with. */
export interface StackParts {
  readonly snapshots: Snapshotter;
  readonly trees: TreeThreads;
  /** One at a time works on a chain id. */
  readonly locks: KeyedLocks;
  /** The layer, if it is unpacked. */
  readonly existing: (chainId: ChainId) => Layer | undefined;
  readonly builtArchive: (chainId: ChainId) => BuiltArchive | undefined;
  readonly record: (layer: Layer, built: BuiltArchive | undefined) => Layer;
  readonly commitBuilt: (key: string, options: CommitBuiltOptions) => Promise<Layer>;
}

/** See `Layers.stack`. */
export async function stackLayer(alone: ChainId, options: StackOptions, parts: StackParts): Promise<Layer> {
  const { parent, hold } = options;
  hold.add(alone);
  hold.add(parent);
  const layer = parts.existing(alone);
  if (layer === undefined) throw notFound(`Layer ${alone} not found`);
  if (!parts.snapshots.canRebase) return apply(layer, options, parts);
  const chainId = chainIdOf(parent, layer.diffId);
  hold.add(chainId);
  using _alone = await parts.locks.acquire(chainId);
  return parts.existing(chainId) ?? (await linked(layer, chainId, { ...options, parts }));
}

/** The same files at the same places: the archive is that of the layer itself. */
async function linked(
  layer: Layer,
  chainId: ChainId,
  { parent, signal, parts }: StackOptions & { parts: StackParts },
): Promise<Layer> {
  const { snapshots, trees } = parts;
  return inSnapshot(parts, parent, async (key) => {
    const from = snapshots.upperDir(layer.chainId);
    await trees.link({ from, to: snapshots.upperDir(key) }, { signal });
    const recipe = snapshots.besideOf(layer.chainId, recipeFile);
    if (existsSync(recipe)) await copyFile(recipe, snapshots.besideOf(key, recipeFile));
    await snapshots.commit(key, chainId);
    return parts.record({ ...layer, chainId, parent }, parts.builtArchive(layer.chainId));
  });
}

/** Where snapshots hold copies of their parents, the layer is what the archive does to the copy. */
function apply(
  { chainId }: Layer,
  { parent, hold, signal }: StackOptions,
  parts: StackParts,
): Promise<Layer> {
  const { snapshots, trees } = parts;
  return inSnapshot(parts, parent, async (key) => {
    const archive = trees.pack({ source: snapshots.packSource(chainId) });
    await extractTar(archive, { ...snapshots.layerTarget(key), signal });
    const newest = parts.builtArchive(chainId)?.newest;
    return await parts.commitBuilt(key, { parent, newest, hold, signal });
  });
}

async function inSnapshot(
  { snapshots }: StackParts,
  parent: ChainId,
  make: (key: string) => Promise<Layer>,
): Promise<Layer> {
  const key = buildKey();
  await snapshots.prepare(key, parent);
  try {
    return await make(key);
  } finally {
    if (snapshots.exists(key)) await snapshots.remove(key);
  }
}
