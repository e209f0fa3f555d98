import { internal, invalid } from '#/base/errors.ts';
import { mountOf, propagationOfMount } from '#/kernel/mountinfo.ts';
import type { Propagation } from '#/runtime/spec/input.ts';
import type { MountPoint } from '#/wire/mounts.ts';

/** A bind as it was asked for; no propagation is the default. */
export interface BindWish {
  readonly source: string;
  readonly propagation: string;
}

/**
 * How mounts travel between a bind and its source. One that shows the daemon's own mounts, those in `dataRoot`, must let go of
 * them when the daemon does, or removing other containers fails: `rslave` there, `rprivate` elsewhere. Throws `invalid`, as
 * Docker, for one that asks for something else there.
 */
export function bindPropagation({ source, propagation }: BindWish, dataRoot: string): string {
  if (!overlaps(source, dataRoot)) return propagation === '' ? 'rprivate' : propagation;
  if (propagation === '') return 'rslave';
  if (propagation === 'rslave' || propagation === 'rshared') return propagation;
  throw invalid(
    `invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within the daemon root, daemon root: "${dataRoot}", bind mount source: "${source}", propagation: "${propagation}"`,
  );
}

/**
 * What a bind can have at the start of its container. Mounts travel only where the source's own mount lets them: a bind that
 * promises more is refused, as by Docker; but who did not choose `rslave` gets `rprivate`. Throws `internal`.
 */
export function possiblePropagation(
  { Source: source, Propagation: wanted }: MountPoint,
  dataRoot: string,
): Propagation {
  const shared = wanted === 'shared' || wanted === 'rshared';
  const slave = wanted === 'slave' || wanted === 'rslave';
  if (!shared && !slave) return wanted as Propagation;
  const holder = mountOf(source);
  const has = propagationOfMount(holder);
  if (has === 'shared' || has === 'slave,shared' || (has === 'slave' && slave)) return wanted as Propagation;
  if (slave && overlaps(source, dataRoot)) return 'rprivate';
  throw internal(
    `path ${source} is mounted on ${holder.mountPoint} but it is not a ${shared ? 'shared mount' : 'shared or slave mount'}`,
  );
}

/** Whether one of two paths is the other or below it. */
function overlaps(a: string, b: string): boolean {
  const [one, other] = [a, b].map((path) => (path.endsWith('/') ? path : `${path}/`)) as [string, string];
  return one.startsWith(other) || other.startsWith(one);
}
