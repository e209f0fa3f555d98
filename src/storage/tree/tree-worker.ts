/** The other side of `TreeThreads`: a worker thread that does one thing at a time. */
import { parentPort } from 'node:worker_threads';
import type { TreePackJob } from '../archive/hash-tree.ts';
import { packChunkSize, packChunks } from '../archive/pack-tree.ts';
import { answer, tell } from '../threads/worker-call.ts';
import { treeJobs } from './tree-jobs.ts';
import type { TreeRequest } from './tree-threads.ts';

if (parentPort === null) throw new Error('tree-worker.ts runs as a worker thread');
const port = parentPort;

let stop = new AbortController();
/** An archive that goes out in pieces, as they are asked for. */
let packing: Generator<Buffer, number, undefined> | undefined;

port.on('message', (request: TreeRequest) => {
  if (request.kind === 'job') {
    stop = new AbortController();
    void answer(port, () => treeJobs[request.name](request.job as never, { signal: stop.signal }));
  } else if (request.kind === 'pack') packing = startPacking(request.job);
  else if (request.kind === 'more') sendMore();
  else {
    stop.abort();
    if (packing !== undefined) finish(packing);
  }
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
