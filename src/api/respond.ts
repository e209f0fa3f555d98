import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import type { Call } from './call.ts';

/** Answers with a JSON value. */
export function json(call: Call, value: unknown, status: number = 200): void {
  const body = Buffer.from(`${JSON.stringify(value)}\n`);
  call.response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': body.length });
  call.response.end(body);
}

/** Answers with nothing but a status: 204 unless another one is given. */
export function empty(call: Call, status: number = 204): void {
  const hasNoBody = status === 204 || status === 304;
  call.response.writeHead(status, hasNoBody ? {} : { 'Content-Length': 0 });
  call.response.end();
}

/** Sends the status and headers of an answer whose body comes bit by bit. */
export function beginStream(call: Call, contentType: string): void {
  call.response.writeHead(200, { 'Content-Type': contentType });
  call.response.flushHeaders();
}

/**
 * Writes, and if the reader is behind, waits until it has caught up. This is what keeps a slow client from growing the
 * daemon: produce the next piece only afterwards. Rejects with the signal's reason when that aborts.
 *
 * Each piece is an HTTP chunk of its own: many clients take a chunk for a whole JSON value, as Docker sends them, and
 * Node would join pieces that are written in one tick.
 */
export async function send(
  sink: Writable,
  data: string | Uint8Array,
  { signal }: { signal: AbortSignal },
): Promise<void> {
  signal.throwIfAborted();
  if (!sink.write(data)) await drained(sink, signal);
  await new Promise<void>((resolve) => {
    process.nextTick(resolve);
  });
}

/** As `send`, of data that is only lent: waits until the kernel has all of it. */
export async function sendLent(
  sink: Writable,
  data: Uint8Array,
  { signal }: { signal: AbortSignal },
): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort);
  sink.write(data, (error) => {
    if (error === null || error === undefined) resolve();
    else reject(error);
  });
  try {
    await promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Waits until `sink` takes more. */
export async function drained(sink: Writable, signal: AbortSignal): Promise<void> {
  if (!sink.writableNeedDrain) return;
  try {
    await once(sink, 'drain', { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/** How long an answer waits for the end of an upload that nobody reads. Milliseconds. */
const uploadPatience = 10_000;

/**
 * Ends an answer whose last bytes are written, once the client has sent its whole request. The connection may end with
 * the answer: a client that still sends would hear of a broken pipe instead of reading why it failed.
 */
export function endAfterUpload(response: ServerResponse): void {
  const { req: request } = response;
  const upgraded = request.headers.upgrade !== undefined;
  if (upgraded || request.complete || request.destroyed) {
    response.end();
    return;
  }
  const end = (): void => {
    clearTimeout(timer);
    response.end();
  };
  const timer = setTimeout(end, uploadPatience);
  request.once('end', end).once('close', end).resume();
}
