import { randomUUID } from 'node:crypto';

/** Begins the keys of snapshots that are being unpacked: what is left of them after a crash is removed by these names. */
export const unpackPrefix = 'unpack:';

/** A key that no other snapshot has. */
export function unpackKey(): string {
  return unpackPrefix + randomUUID();
}

/** Begins the keys of snapshots that a build works in; they end with the daemon. */
export const buildPrefix = 'build-';

/** A key for such a snapshot, which no other has. */
export function buildKey(): string {
  return buildPrefix + randomUUID();
}
