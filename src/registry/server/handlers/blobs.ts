import type { ServerResponse } from 'node:http';
import { isKind } from '#/base/errors.ts';
import { parseRange } from '../byte-range.ts';
import type { Call } from '../call.ts';
import { blobUnknown, methodUnsupported } from '../errors.ts';
import { checkDigest } from '../names.ts';
import type { Services } from '../services.ts';
import type { BlobReading } from '../storage/blob-storage.ts';

/** `/v2/<name>/blobs/<digest>` (end-2, end-10). */
export async function handleBlob(
  services: Services,
  call: Call,
  { repository, last }: { readonly repository: string; readonly last: string },
): Promise<void> {
  switch (call.method) {
    case 'GET':
    case 'HEAD':
      return serve(services, call, { repository, last });
    case 'DELETE':
      return remove(services, call, { repository, last });
    default:
      throw methodUnsupported(call.method, ['GET', 'HEAD', 'DELETE']);
  }
}

interface Target {
  readonly repository: string;
  readonly last: string;
}

async function serve(services: Services, call: Call, { repository, last }: Target): Promise<void> {
  call.require('pull', repository);
  const digest = checkDigest(last);
  // Only through the link: that the blob is in the storage says nothing about who may read it.
  const size = await services.metadata.links.size(repository, digest);
  if (size === undefined) throw blobUnknown(digest);
  const etag = `"${digest}"`;
  const common = {
    'Docker-Content-Digest': digest,
    ETag: etag,
    'Cache-Control': 'max-age=31536000',
    'Accept-Ranges': 'bytes',
    'Content-Type': 'application/octet-stream',
  };
  const { headers } = call.request;
  if (headers['if-none-match'] !== undefined && matches(headers['if-none-match'], etag))
    return call.empty(304, common);
  const ignoresRange = headers['if-range'] !== undefined && headers['if-range'] !== etag;
  const range = ignoresRange ? undefined : parseRange(headers.range, size);
  if (call.method === 'HEAD') {
    // Who may push and looks whether the blob is there will refer to it.
    if (call.may('push', repository)) await services.leases.blob(repository, digest);
    call.response.writeHead(200, { ...common, 'Content-Length': size });
    call.response.end();
    return;
  }
  const target = await services.storage.redirect?.(digest);
  if (target !== undefined) return call.empty(307, { ...common, Location: target });
  const { start, end } = range ?? { start: 0, end: size - 1 };
  let reading: BlobReading | undefined;
  try {
    reading = size === 0 ? undefined : await services.storage.read(digest, { start, end });
  } catch (error) {
    if (!isKind(error, 'notFound')) throw error;
    call.log.error('a blob that is linked is not in the storage', { digest, repository });
    throw blobUnknown(digest);
  }
  call.response.writeHead(range === undefined ? 200 : 206, {
    ...common,
    'Content-Length': end - start + 1,
    ...(range === undefined ? {} : { 'Content-Range': `bytes ${start}-${end}/${size}` }),
  });
  if (reading !== undefined) await send(call, reading);
  call.response.end();
  services.observer.observe({ kind: 'blobPulled', repository, digest, size, actor: call.actor });
}

async function send(call: Call, body: BlobReading): Promise<void> {
  await using reading = body;
  for await (const piece of reading) await written(call.response, piece, call.signal);
}

/** Resolves when the kernel has all of `piece`: its memory will be used again. */
function written(response: ServerResponse, piece: Uint8Array, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    response.write(piece, (error) => {
      signal.removeEventListener('abort', onAbort);
      if (error) reject(error);
      else resolve();
    });
  });
}

async function remove(services: Services, call: Call, { repository, last }: Target): Promise<void> {
  call.require('delete', repository);
  const digest = checkDigest(last);
  if (!(await services.metadata.links.unlink(repository, digest))) throw blobUnknown(digest);
  call.empty(202);
  services.observer.observe({ kind: 'blobDeleted', repository, digest, actor: call.actor });
}

/** Tells whether a list of entity tags has this one (RFC 9110, section 13.1.2). */
export function matches(header: string, etag: string): boolean {
  return header.split(',').some((item) => {
    const tag = item.trim().replace(/^W\//, '');
    return tag === '*' || tag === etag;
  });
}
