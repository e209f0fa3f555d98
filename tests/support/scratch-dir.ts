import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A fresh directory that goes away with `using`. */
export interface ScratchDir extends Disposable {
  readonly path: string;
  /** A path inside. */
  join(...parts: readonly string[]): string;
}

/** Makes a directory for one test. */
export function scratchDir(): ScratchDir {
  const path = mkdtempSync(join(tmpdir(), 'skiff-test-'));
  return {
    path,
    join: (...parts) => join(path, ...parts),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
