import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** An answer before it is sent. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: Uint8Array | string;
}

/** How an answer goes wrong on its way. */
export interface Sending {
  /** The connection is reset after so many bytes of the body. */
  readonly cutAfter?: number | undefined;
  /** Milliseconds before each piece of the body. */
  readonly pause?: number | undefined;
  /** Bytes in a piece; everything at once if none is given. */
  readonly piece?: number | undefined;
}

/** An answer in the form of the protocol's errors (distribution-spec, "Error Codes"). */
export function problem(status: number, code: string, message: string): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ errors: [{ code, message }] }),
  };
}

/** Sends an answer, well or badly. The length is that of the body unless the headers say something else. */
export async function sendAnswer(
  { status, headers = {}, body = '' }: Answer,
  { request, response }: { request: IncomingMessage; response: ServerResponse },
  { cutAfter, pause, piece }: Sending = {},
): Promise<void> {
  const bytes = Buffer.from(body);
  const isMeasured = status !== 204 && headers['transfer-encoding'] === undefined;
  const all = { ...(isMeasured && { 'content-length': String(bytes.length) }), ...headers };
  response.strictContentLength = false;
  response.writeHead(status, Object.entries(all).flatMap(flat));
  response.flushHeaders();
  if (request.method === 'HEAD' || status === 204) return void response.end();
  const closed = new Promise((resolve) => response.once('close', resolve));
  const shown = cutAfter === undefined ? bytes : bytes.subarray(0, cutAfter);
  const step = piece ?? Math.max(shown.length, 1);
  for (let at = 0; at < shown.length && !response.destroyed; at += step) {
    if (pause !== undefined) await Promise.race([sleep(pause, undefined, { ref: false }), closed]);
    await written(response, shown.subarray(at, at + step));
  }
  if (cutAfter === undefined) response.end();
  else {
    // What was written must leave before the connection breaks, or the peer never sees it.
    await sleep(5);
    request.socket.destroy();
  }
}

function flat([name, value]: [string, string | readonly string[]]): string[] {
  return (typeof value === 'string' ? [value] : [...value]).flatMap((one) => [name, one]);
}

function written(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  // A peer that has left is no failure of a test's registry.
  response.write(bytes, () => resolve());
  response.once('close', resolve);
  return promise;
}
