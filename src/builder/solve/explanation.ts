import { textOf } from '#/base/byte-string.ts';
import type { Digest } from '#/oci/digest.ts';
import { packItems } from '#/storage/archive/pack-source.ts';
import type { ChainId } from '#/storage/chain-id.ts';
import { Pacer } from '#/storage/tree/pacer.ts';
import type { CacheEntry } from '../cache/build-cache.ts';
import { differences } from '../cache/explain.ts';
import type { KeyDocument } from '../cache/key.ts';
import { isLinked, type StepNode } from '../plan/graph.ts';
import type { SolveParts } from './solve-parts.ts';

/** Files that are named. */
const maxFiles = 10;

/** A step that the cache did not have. */
export interface MissedStep {
  readonly node: StepNode;
  readonly key: Digest;
  readonly document: KeyDocument;
  readonly parent: ChainId | undefined;
}

/** Why the cache had a step, in words. */
export function hitLines(node: StepNode, { created }: Pick<CacheEntry, 'created'>): string[] {
  const hit = `cached: made at ${created}`;
  return isLinked(node) ? [hit, 'linked: what is below it does not count'] : [hit];
}

/** Why the cache did not have a step: what is different from the step that was last done at its place. Make it before the step is done. */
export class Explanation {
  readonly #parts: SolveParts;
  readonly #step: MissedStep;
  readonly #before: CacheEntry | undefined;

  constructor(parts: SolveParts, step: MissedStep) {
    this.#parts = parts;
    this.#step = step;
    const { node, key, parent } = step;
    this.#before = parts.cache.nearest({ place: node.place, description: node.name, parent, key });
  }

  /** In words, now that its result is there: of a copy that took other files it tells which. */
  async lines(chainId: ChainId | undefined): Promise<string[]> {
    const { node, document } = this.#step;
    if (node.noCache) return ['not looked up: the cache is not to be used'];
    const before = this.#before;
    if (before === undefined) return ['not cached: no step at this place was run before'];
    const changed = differences(before.inputs, document).map((text) => `changed: ${text}`);
    if (changed.length === 0) return ['not cached: its result was removed'];
    if (node.kind !== 'copy' || before.layer === undefined || chainId === undefined) return changed;
    return [...changed, ...(await this.#files(before.layer, chainId))];
  }

  /** What the two copies have brought that is not the same. */
  async #files(before: ChainId, now: ChainId): Promise<string[]> {
    const { layers, steps } = this.#parts;
    // Only what overlay keeps is a layer by itself.
    if (steps.snapshots.driver !== 'overlay2' || layers.usable(before) === undefined) return [];
    using hold = layers.hold();
    hold.add(before);
    const [path, old] = [now, before].map((chainId) => steps.snapshots.upperDir(chainId));
    if (path === undefined || old === undefined) return [];
    const pacer = new Pacer();
    const found: string[] = [];
    for (const item of packItems({ kind: 'difference', path, before: old })) {
      if (pacer.due) await pacer.turn();
      const line = lineOf(item);
      if (line !== undefined) found.push(line);
      if (found.length > maxFiles) break;
    }
    return found.length > maxFiles ? [...found.slice(0, maxFiles), 'and more files'] : found;
  }
}

/** Directories say nothing that what is in them does not. */
function lineOf(
  item: ReturnType<typeof packItems> extends Generator<infer Item> ? Item : never,
): string | undefined {
  if (item.kind === 'gone') return `gone: /${textOf(item.parent + item.name)}`;
  if (item.kind !== 'there' || (item.entry.stat.mode & 0o170000) === 0o040000) return undefined;
  return `new or changed: /${textOf(item.entry.path)}`;
}
