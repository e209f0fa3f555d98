/** The other side of `TreeThreads`: a worker thread that does one thing at a time. */
import { parentPort } from 'node:worker_threads';
import type { TreePackJob } from '../archive/hash-tree.ts';
import { packChunkSize, packChunks } from '../archive/pack-tree.ts';
import { serveJobs } from '../threads/job-threads.ts';
import { answer, tell } from '../threads/worker-call.ts';
import { type StreamRequest, treeJobs } from './tree-threads.ts';

if (parentPort === null) throw new Error('tree-worker.ts runs as a worker thread');
const port = parentPort;

/** An archive that goes out in pieces, as they are asked for. */
let packing: Generator<Buffer, number, undefined> | undefined;

serveJobs(port, treeJobs);
port.on('message', (request: StreamRequest) => {
  if (request.kind === 'pack') packing = startPacking(request.job);
  else if (request.kind === 'more') sendMore();
  else if (request.kind === 'stop' && packing !== undefined) finish(packing);
});

function startPacking({ source, ...options }: TreePackJob): Generator<Buffer, number, undefined> {
  // Buffers that are sent away must have their memory to themselves.
  return packChunks(source, options, () => Buffer.allocUnsafeSlow(packChunkSize));
}

function sendMore(): void {
  if (packing === undefined) return;
  try {
    const next = packing.next();
    if (next.done === true) return finish(packing);
    tell(port, next.value, [next.value.buffer as ArrayBuffer]);
  } catch (error) {
    packing = undefined;
    void answer(port, () => Promise.reject(error));
  }
}

function finish(chunks: Generator<Buffer, number, undefined>): void {
  packing = undefined;
  chunks.return(0);
  void answer(port, () => undefined);
}
