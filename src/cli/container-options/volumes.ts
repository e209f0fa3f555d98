import { resolve } from 'node:path';
import type { GoSet } from '#/wire/containers.ts';

/** What the `--volume` flags say: binds to make, and paths that get a volume without a name. */
export interface VolumeOptions {
  readonly binds: readonly string[];
  readonly anonymous: GoSet;
}

/** Sorts `--volume` flags. Only the form is checked here, the rest by the daemon. Throws an Error in docker's words. */
export function parseVolumes(specs: readonly string[]): VolumeOptions {
  const binds: string[] = [];
  const anonymous: Record<string, Readonly<Record<string, never>>> = {};
  for (const spec of new Set(specs)) {
    const source = sourceOf(spec);
    if (source === '') anonymous[spec] = {};
    else binds.push(source.startsWith('.') ? resolve(source) + spec.slice(source.length) : spec);
  }
  return { binds, anonymous };
}

function sourceOf(spec: string): string {
  if (spec === '') throw new Error('invalid empty volume spec');
  if (spec.length <= 2) return '';
  const parts = splitSpec(spec);
  if (parts.includes('')) throw new Error(`invalid spec: ${spec}: empty section between colons`);
  if (parts.length > 3) throw new Error(`invalid spec: ${spec}: too many colons`);
  return parts.length === 1 ? '' : (parts[0] ?? '');
}

/** Splits at colons, but not after a single letter: that may be a drive of Windows, and docker never makes it a name. */
function splitSpec(spec: string): string[] {
  const parts: string[] = [];
  for (const part of spec.split(':')) {
    const before = parts.at(-1);
    if (before !== undefined && /^[A-Za-z]$/.test(before)) parts[parts.length - 1] = `${before}:${part}`;
    else parts.push(part);
  }
  return parts;
}
