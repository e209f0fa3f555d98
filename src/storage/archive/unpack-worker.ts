/** The other side of `UnpackThreads`: a worker thread that unpacks or packs one blob at a time. */
import { parentPort } from 'node:worker_threads';
import { EngineError } from '#/base/errors.ts';
import { GrowthGauge } from './growing-file.ts';
import { type Packed, packArchive } from './pack-archive.ts';
import { makeRecipe, type Recipe } from './tar-recipe.ts';
import { type Unpacked, unpackBlob } from './unpack-blob.ts';
import type { UnpackReply, UnpackRequest } from './unpack-threads.ts';

if (parentPort === null) throw new Error('unpack-worker.ts runs as a worker thread');
const port = parentPort;
let stop = new AbortController();
/** Of the blob that is being unpacked, if it grows. */
let gauge: GrowthGauge | undefined;

port.on('message', (request: UnpackRequest) => {
  if (request.kind === 'stop') stop.abort();
  else if (request.kind === 'grown') gauge?.set(request.growth);
  else if (request.kind === 'recipe') void answer(() => makeRecipe(request.job));
  else {
    stop = new AbortController();
    const { signal } = stop;
    if (request.kind === 'pack') {
      void answer(() => packArchive(request.job, { signal }));
      return;
    }
    const { job } = request;
    gauge = job.growing === undefined ? undefined : new GrowthGauge(job.growing.growth);
    const control = {
      signal,
      onProgress: (bytes: number) => reply({ kind: 'progress', bytes }),
    };
    void answer(() => unpackBlob(job, control, gauge));
  }
});

function reply(message: UnpackReply): void {
  port.postMessage(message);
}

async function answer(work: () => Promise<Unpacked | Recipe | Packed>): Promise<void> {
  try {
    reply({ kind: 'done', result: await work() });
  } catch (error) {
    // Structured clone keeps message and stack of an Error, but not its class.
    if (error instanceof EngineError) {
      reply({ kind: 'refused', errorKind: error.kind, message: error.message, cause: error.cause });
    } else reply({ kind: 'failed', error });
  }
}
