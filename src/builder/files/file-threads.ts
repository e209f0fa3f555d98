import { siblingModule } from '#/base/sibling-module.ts';
import { JobThreads } from '#/storage/threads/job-threads.ts';
import { storeFiles } from '../context/store-files.ts';
import { copyInto } from './copy-into.ts';
import { hashFiles } from './hash-files.ts';
import { unpackInto } from './unpack-into.ts';

/** What builds do with files in threads. */
export const fileJobs: {
  readonly copy: typeof copyInto;
  readonly hash: typeof hashFiles;
  readonly unpack: typeof unpackInto;
  readonly store: typeof storeFiles;
} = { copy: copyInto, hash: hashFiles, unpack: unpackInto, store: storeFiles };

/** Threads for work on files, so that tens of thousands of system calls leave the daemon responsive. */
export type FileThreads = JobThreads<typeof fileJobs>;

/** Opens them: `threads.run('copy', request, { signal })`. */
export function openFileThreads(): FileThreads {
  return new JobThreads(siblingModule('file-worker', import.meta.url), 'files');
}
