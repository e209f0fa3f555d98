import { parentPort } from 'node:worker_threads';
import { compareSync } from 'bcryptjs';

/** Checks passwords one after the other, so that the thread that serves requests need not stand still for them. */
parentPort?.on('message', ({ id, password, hash }: { id: number; password: string; hash: string }) => {
  parentPort?.postMessage({ id, matches: compareSync(password, hash) });
});
