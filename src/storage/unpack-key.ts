import { randomUUID } from 'node:crypto';

/** Begins the keys of snapshots that are being unpacked: what is left of them after a crash is removed by these names. */
export const unpackPrefix = 'unpack:';

/** A key that no other snapshot has. */
export function unpackKey(): string {
  return unpackPrefix + randomUUID();
}
