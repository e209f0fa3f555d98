import { type HashedTree, hashTree, type TreePackJob } from '../archive/hash-tree.ts';

/** Work on trees by name: what it is given and what it gives. */
export interface TreeJobs {
  readonly hash: (job: TreePackJob, control: JobControl) => Promise<HashedTree | undefined>;
}

/** What work in a thread has of who asked for it. */
interface JobControl {
  readonly signal: AbortSignal;
}

/** The work itself. */
export const treeJobs: TreeJobs = { hash: hashTree };
