import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { isSystemError } from '#/base/errors.ts';

/** Makes a folder and those above it that are missing. Throws the error of the system. */
export function makeFolder(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  const above = dirname(path);
  // Not by mkdir's own recursion: where the kernel refuses folders with ENOENT, as in /proc, Node never ends.
  if (above !== path) makeFolder(above);
  try {
    mkdirSync(path);
  } catch (error) {
    if (!isSystemError(error, 'EEXIST') || !statSync(path).isDirectory()) throw error;
  }
}
