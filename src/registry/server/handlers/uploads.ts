import type { IncomingMessage } from 'node:http';
import type { Digest } from '#/oci/digest.ts';
import { parseChunkRange } from '../byte-range.ts';
import type { Call } from '../call.ts';
import {
  chunkOutOfOrder,
  digestInvalid,
  methodUnsupported,
  RegistryError,
  sizeInvalid,
  uploadInvalid,
} from '../errors.ts';
import { checkDigest, isRepository } from '../names.ts';
import type { Services } from '../services.ts';
import type { Incoming } from '../upload-sessions.ts';

/** Repositories that are looked at for a mount that does not say from where. */
const maxHolders = 100;
const algorithms = ['sha256', 'sha384', 'sha512'];

/** `/v2/<name>/blobs/uploads/` (end-4a, end-4b, end-4c, end-11). */
export async function handleUploads(services: Services, call: Call, repository: string): Promise<void> {
  if (call.method !== 'POST') throw methodUnsupported(call.method, ['POST']);
  call.require('push', repository);
  const mount = call.query.get('mount');
  if (mount !== null && (await mountBlob(services, call, { repository, digest: checkDigest(mount) }))) return;
  const digest = call.query.get('digest');
  if (digest !== null && mount === null)
    return pushWhole(services, call, { repository, digest: checkDigest(digest) });
  const algorithm = call.query.get('digest-algorithm') ?? 'sha256';
  if (!algorithms.includes(algorithm)) {
    throw digestInvalid(
      `digest algorithm "${algorithm}" is not supported, only ${algorithms.join(', ')}`,
      algorithm,
    );
  }
  const id = await services.uploads.begin(repository, algorithm);
  const { minChunk } = services.storage;
  call.empty(202, {
    ...standing(repository, id, 0),
    ...(minChunk === undefined ? {} : { 'OCI-Chunk-Min-Length': minChunk }),
  });
}

/** `<blob-push-location>` (end-5, end-6, end-13, end-14). */
export async function handleUpload(
  services: Services,
  call: Call,
  { repository, last: id }: { readonly repository: string; readonly last: string },
): Promise<void> {
  call.require('push', repository);
  switch (call.method) {
    case 'GET':
    case 'HEAD':
      return call.empty(204, standing(repository, id, await services.uploads.status(repository, id)));
    case 'PATCH': {
      const size = await services.uploads.append(repository, id, incoming(call, { repository, id }));
      return call.empty(202, standing(repository, id, size));
    }
    case 'PUT':
      return finish(services, call, { repository, id });
    case 'DELETE':
      await services.uploads.cancel(repository, id);
      return call.empty(204);
    default:
      throw methodUnsupported(call.method, ['GET', 'HEAD', 'PATCH', 'PUT', 'DELETE']);
  }
}

interface Target {
  readonly repository: string;
  readonly id: string;
}

interface Wanted {
  readonly repository: string;
  readonly digest: Digest;
}

/** Mounts and answers; false if there is nothing that could be mounted, as far as this user may know. */
async function mountBlob(services: Services, call: Call, { repository, digest }: Wanted): Promise<boolean> {
  const { links } = services.metadata;
  const named = call.query.get('from');
  const candidates =
    named === null ? await links.holders(digest, maxHolders) : isRepository(named) ? [named] : [];
  for (const from of candidates) {
    if (!call.may('pull', from)) continue;
    const size = await links.mount(repository, digest, from);
    if (size === undefined) continue;
    stored(call, { repository, digest });
    services.observer.observe({ kind: 'blobMounted', repository, digest, size, from, actor: call.actor });
    return true;
  }
  return false;
}

/** A blob in a single POST. */
async function pushWhole(services: Services, call: Call, { repository, digest }: Wanted): Promise<void> {
  const id = await services.uploads.begin(repository, digest.slice(0, digest.indexOf(':')));
  try {
    const size = await services.uploads.finish(repository, id, {
      digest,
      ...incoming(call, { repository, id }),
    });
    stored(call, { repository, digest });
    services.observer.observe({ kind: 'blobPushed', repository, digest, size, actor: call.actor });
  } catch (error) {
    // The client does not know the upload and cannot go on with it.
    await services.uploads.drop(id);
    throw error;
  }
}

async function finish(services: Services, call: Call, { repository, id }: Target): Promise<void> {
  const text = call.query.get('digest');
  if (text === null)
    throw digestInvalid('the parameter "digest" is missing: an upload ends with the digest of the blob', '');
  const digest = checkDigest(text);
  try {
    const size = await services.uploads.finish(repository, id, {
      digest,
      ...incoming(call, { repository, id }),
    });
    stored(call, { repository, digest });
    services.observer.observe({ kind: 'blobPushed', repository, digest, size, actor: call.actor });
  } catch (error) {
    // The answer to the first try was lost.
    const ended = error instanceof RegistryError && error.status === 404;
    if (!ended || (await services.metadata.links.size(repository, digest)) === undefined) throw error;
    stored(call, { repository, digest });
  }
}

function stored(call: Call, { repository, digest }: Wanted): void {
  call.empty(201, { Location: `/v2/${repository}/blobs/${digest}`, 'Docker-Content-Digest': digest });
}

/** Where an upload is and how far it has come. */
function standing(repository: string, id: string, size: number): Record<string, string> {
  return {
    Location: `/v2/${repository}/blobs/uploads/${id}`,
    Range: `0-${Math.max(0, size - 1)}`,
    'Docker-Upload-UUID': id,
  };
}

/** The body of a request as bytes of an upload. */
function incoming(call: Call, { repository, id }: Target): Incoming {
  const { request } = call;
  const header = request.headers['content-range'];
  const range = header === undefined ? undefined : parseChunkRange(header);
  if (header !== undefined && range === undefined) {
    throw uploadInvalid(`Content-Range "${header}" is not of the form FIRST-LAST`);
  }
  const length = request.headers['content-length'];
  if (range !== undefined && length !== undefined && Number(length) !== range.end - range.start + 1) {
    throw sizeInvalid(`Content-Length ${length} is not that of Content-Range "${header}"`);
  }
  return {
    source: bodyOf(call, request),
    cutOff: (reason) => request.destroy(reason),
    check: (size) => {
      if (range === undefined || range.start === size) return;
      const message = `the chunk begins at byte ${range.start}, the upload goes on at byte ${size}`;
      throw chunkOutOfOrder(message, standing(repository, id, size));
    },
  };
}

/**
 * Only when it is read is the client told to send, if it waits for that; and a failure of ours does not cut the connection. No
 * generator of our own in between: it would cost as much as the copying.
 */
function bodyOf(call: Call, request: IncomingMessage): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]: () => {
      call.proceed();
      return request.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array>;
    },
  };
}
