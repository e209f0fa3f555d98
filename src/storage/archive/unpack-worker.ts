/** The other side of `UnpackThreads`: a worker thread that unpacks or packs one blob at a time. */
import { parentPort } from 'node:worker_threads';
import { answer, tell } from '../threads/worker-call.ts';
import { GrowthGauge } from './growing-file.ts';
import { packArchive } from './pack-archive.ts';
import { makeRecipe } from './tar-recipe.ts';
import { unpackBlob } from './unpack-blob.ts';
import type { UnpackNews, UnpackRequest } from './unpack-threads.ts';

if (parentPort === null) throw new Error('unpack-worker.ts runs as a worker thread');
const port = parentPort;
let stop = new AbortController();
/** Of the blob that is being unpacked, if it grows. */
let gauge: GrowthGauge | undefined;

port.on('message', (request: UnpackRequest) => {
  if (request.kind === 'stop') stop.abort();
  else if (request.kind === 'grown') gauge?.set(request.growth);
  else if (request.kind === 'recipe') void answer(port, () => makeRecipe(request.job));
  else {
    stop = new AbortController();
    const { signal } = stop;
    if (request.kind === 'pack') {
      void answer(port, () => packArchive(request.job, { signal }));
      return;
    }
    const { job } = request;
    gauge = job.growing === undefined ? undefined : new GrowthGauge(job.growing.growth);
    const control = {
      signal,
      onProgress: (bytes: number) => tell<UnpackNews>(port, bytes),
    };
    void answer(port, () => unpackBlob(job, control, gauge));
  }
});
