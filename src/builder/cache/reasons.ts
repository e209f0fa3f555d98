import { humanDuration, humanSize } from '#/base/units.ts';
import type { CacheBudget, CacheRecord } from './record.ts';

/** What decides on how long things stay, and the time (milliseconds since 1970). */
export interface KeepRules {
  /** Undefined: nothing goes by itself. */
  readonly budget: CacheBudget | undefined;
  readonly now: number;
}

/** Why something is still there, and what would make it go, for people. `images` are names of images that need it. */
export function reasonFor(
  { inUse, shared, lastUsedAt }: CacheRecord,
  images: readonly string[],
  { budget, now }: KeepRules,
): string {
  if (inUse) return 'a build works with it';
  if (shared) {
    const [name, ...more] = images;
    const others = more.length === 0 ? '' : ` and ${more.length} more`;
    return name === undefined ? 'an image needs it' : `image ${name}${others} needs it`;
  }
  const span = (milliseconds: number): string => humanDuration(Math.max(0, milliseconds)).toLowerCase();
  const used = `last used ${span(now - lastUsedAt.getTime())} ago`;
  if (budget === undefined) return `${used}; goes when somebody prunes the cache`;
  const { maxUsed, maxAge } = budget;
  const bounds = `${span(maxAge)} after its last use, or earlier as the least recently used beyond ${humanSize(maxUsed)}`;
  return `${used}; goes ${bounds}`;
}
