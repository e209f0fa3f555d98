/** The other side of `FileThreads`. */
import { parentPort } from 'node:worker_threads';
import { serveJobs } from '#/storage/threads/job-threads.ts';
import { fileJobs } from './file-threads.ts';

if (parentPort === null) throw new Error('file-worker.ts runs as a worker thread');
serveJobs(parentPort, fileJobs);
