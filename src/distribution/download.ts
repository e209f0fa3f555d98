import type { IncomingMessage } from 'node:http';
import { invalid, isKind, unavailable } from '#/base/errors.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import type { Digest } from '#/oci/digest.ts';
import { brokenOff, nameOf } from './body.ts';
import type { Connection } from './connection.ts';
import { canPass, Tries } from './retry.ts';
import type { Route, Send } from './route.ts';

/** An answer with a blob, or with its end. */
export interface OpenedBlob {
  /** The first byte that comes. */
  readonly start: number;
  /** Bytes of the whole blob, if the registry says so. */
  readonly total: number | undefined;
  readonly body: IncomingMessage;
}

/** Asks for a blob from byte `start`. A registry without ranges sends all of it. */
export async function openBlob(send: Send, digest: Digest, start: number): Promise<OpenedBlob> {
  const headers = { 'accept-encoding': 'identity', ...(start > 0 && { range: `bytes=${start}-` }) };
  const body = await send({ method: 'GET', path: `blobs/${digest}`, headers });
  const length = body.headers['content-length'] ?? '';
  const size = /^\d{1,15}$/.test(length) ? Number(length) : undefined;
  if (body.statusCode !== 206) return { start: 0, total: size, body };
  const range = parseContentRange(body.headers['content-range'] ?? '');
  if (range === undefined || range.start !== start) {
    body.destroy();
    throw unavailable(`${nameOf(body)}: asked for bytes from ${start} on, the answer has others`);
  }
  return { start, total: range.total, body };
}

/** `bytes 5-9/10` (RFC 9110, section 14.4). */
export function parseContentRange(
  text: string,
): { start: number; end: number; total: number | undefined } | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(?:(\d{1,15})|\*)$/.exec(text.trim());
  if (match === null) return undefined;
  const [start, end] = [Number(match[1]), Number(match[2])];
  const total = match[3] === undefined ? undefined : Number(match[3]);
  if (end < start || (total !== undefined && end >= total)) return undefined;
  return { start, end, total };
}

/** How to download a blob. */
export interface DownloadOptions {
  readonly start?: number;
  readonly signal: AbortSignal;
  readonly onRetry?: (error: unknown, delay: number) => void;
  /** Called with each mirror that brings a part of it. */
  readonly onMirror?: (mirror: Connection) => void;
}

/** See `Repository.download`. */
export async function* downloadBlob(
  route: Route,
  { digest, size }: Descriptor,
  options: DownloadOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { signal, onRetry, onMirror } = options;
  const tries = new Tries({ attempts: route.attempts, delay: route.delay, signal, onRetry });
  let at = options.start ?? 0;
  while (at < size) {
    const before = at;
    try {
      // A mirror that twice brought nothing is not asked again.
      const mirrors = tries.failed < 2;
      const open = async (send: Send, mirror?: Connection): Promise<OpenedBlob> => {
        const found = await openBlob(send, digest, at);
        refuseOtherSize(found, { digest, size });
        if (mirror !== undefined) onMirror?.(mirror);
        return found;
      };
      const opened = await route.get(signal, open, { mirrors, once: true });
      for await (const chunk of bytesFrom(opened, at)) {
        if (at + chunk.length > size)
          throw invalid(`blob ${digest} is longer than the ${size} bytes of its descriptor`);
        at += chunk.length;
        yield chunk;
      }
      if (at < size) throw unavailable(`${nameOf(opened.body)}: the registry sent ${at} of ${size} bytes`);
    } catch (error) {
      signal.throwIfAborted();
      // What has brought a part of the blob is not counted as a failure: large blobs over bad lines arrive in the end.
      if (at > before) tries.restart();
      if (!canPass(error)) throw error;
      await tries.again(error);
    }
  }
}

/** Other content, whatever it is: what a mirror has, or something between us and it. */
function refuseOtherSize(
  { total, body }: OpenedBlob,
  { digest, size }: { digest: Digest; size: number },
): void {
  if (total === undefined || total === size) return;
  body.destroy();
  throw invalid(`blob ${digest} has ${total} bytes at the registry, its descriptor says ${size}`);
}

/** What comes, without what is known already. */
async function* bytesFrom(
  { body, start }: OpenedBlob,
  at: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let skip = at - start;
  try {
    for await (const piece of body) {
      const chunk = piece as Buffer;
      if (skip >= chunk.length) skip -= chunk.length;
      else {
        yield skip === 0 ? chunk : chunk.subarray(skip);
        skip = 0;
      }
    }
  } catch (error) {
    if (isKind(error, 'invalid')) throw error;
    throw brokenOff(body, error);
  } finally {
    body.destroy();
  }
}
