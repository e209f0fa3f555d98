/** The other side of `UnpackThreads`: a worker thread that unpacks one blob at a time. */
import { parentPort } from 'node:worker_threads';
import { EngineError } from '#/base/errors.ts';
import { GrowthGauge } from './growing-file.ts';
import { unpackBlob } from './unpack-blob.ts';
import type { UnpackReply, UnpackRequest } from './unpack-threads.ts';

if (parentPort === null) throw new Error('unpack-worker.ts runs as a worker thread');
const port = parentPort;
let stop = new AbortController();
/** Of the blob that is being unpacked, if it grows. */
let gauge: GrowthGauge | undefined;

port.on('message', (request: UnpackRequest) => {
  if (request.kind === 'stop') stop.abort();
  else if (request.kind === 'grown') gauge?.set(request.growth);
  else void run(request);
});

async function run({ job }: Extract<UnpackRequest, { kind: 'start' }>): Promise<void> {
  stop = new AbortController();
  gauge = job.growing === undefined ? undefined : new GrowthGauge(job.growing.growth);
  const reply = (message: UnpackReply): void => port.postMessage(message);
  try {
    const onProgress = (bytes: number): void => reply({ kind: 'progress', bytes });
    reply({ kind: 'done', unpacked: await unpackBlob(job, { signal: stop.signal, onProgress }, gauge) });
  } catch (error) {
    // Structured clone keeps message and stack of an Error, but not its class.
    if (error instanceof EngineError) {
      reply({ kind: 'refused', errorKind: error.kind, message: error.message, cause: error.cause });
    } else reply({ kind: 'failed', error });
  }
}
