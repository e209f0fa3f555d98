import { mkdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { ContextStore } from '#/builder/context/context-store.ts';
import { type FileThreads, openFileThreads } from '#/builder/files/file-threads.ts';
import { TreeDigests } from '#/builder/files/tree-digests.ts';

/** What builds work on files with. */
export interface BuildFiles {
  readonly threads: FileThreads;
  readonly digests: TreeDigests;
  /** Trees that clients send. */
  readonly contexts: ContextStore;
}

/** Trees that clients sent are kept up to this share of the disk, and up to so many bytes. */
const keptShare = 0.05;
const mostKept = 10 * 2 ** 30;

/** Opens it; the kept trees are below `root`. */
export async function openBuildFiles(root: string, stack: AsyncDisposableStack): Promise<BuildFiles> {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const threads = stack.use(openFileThreads());
  const digests = new TreeDigests(threads);
  const { blocks, bsize } = statfsSync(root);
  const budget = Math.min(blocks * bsize * keptShare, mostKept);
  const contexts = await ContextStore.open({ root: join(root, 'trees'), files: threads, digests, budget });
  return { threads, digests, contexts };
}
