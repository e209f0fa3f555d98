import { humanDuration, humanSize } from '#/base/units.ts';
import type { CacheRecord } from './record.ts';

/** What decides on how long things stay. */
export interface KeepRules {
  /** Bytes. */
  readonly maxUsed: number;
  /** Milliseconds. */
  readonly maxAge: number;
}

/** Why something is still there, and what would make it go, for people. `images` are names of images that need it. */
export function reasonFor(
  { inUse, shared, lastUsedAt }: CacheRecord,
  images: readonly string[],
  { maxUsed, maxAge, now }: KeepRules & { readonly now: number },
): string {
  if (inUse) return 'a build works with it';
  if (shared) {
    const [name, ...more] = images;
    const others = more.length === 0 ? '' : ` and ${more.length} more`;
    return name === undefined ? 'an image needs it' : `image ${name}${others} needs it`;
  }
  const span = (milliseconds: number): string => humanDuration(Math.max(0, milliseconds)).toLowerCase();
  const used = `last used ${span(now - lastUsedAt.getTime())} ago`;
  const bounds = `${span(maxAge)} after its last use, or earlier as the least recently used beyond ${humanSize(maxUsed)}`;
  return `${used}; goes ${bounds}`;
}
