import { invalid, notFound } from '#/base/errors.ts';
import { type Digest, isDigest } from '#/oci/digest.ts';
import { type GrpcHandler, serverStream, unary } from '../grpc/server.ts';
import { Content, type ReadContentRequest } from '../messages/content_pb.ts';
import type { History } from './history.ts';

/** Bytes of one message; clients take at most 4 MB. */
const pieceSize = 1024 * 1024;

/** The methods of containerd's content service with which clients get what belongs to builds in the history. */
export function contentHandlers(history: Pick<History, 'blob'>): GrpcHandler[] {
  const blobOf = (digest: string): { digest: Digest; bytes: Uint8Array } => {
    if (!isDigest(digest)) throw invalid(`${JSON.stringify(digest)} is no digest`);
    const bytes = history.blob(digest);
    if (bytes === undefined) throw notFound(`content ${digest}: not found`);
    return { digest, bytes };
  };
  return [
    unary(Content.method.info, (request) => {
      const { digest, bytes } = blobOf(request.digest);
      return Promise.resolve({ info: { digest, size: BigInt(bytes.length) } });
    }),
    serverStream(Content.method.read, async function* (request) {
      const { bytes } = blobOf(request.digest);
      const { start, end } = rangeOf(request, bytes.length);
      for (let at = start; at < end; at += pieceSize) {
        yield { offset: BigInt(at), data: bytes.subarray(at, Math.min(at + pieceSize, end)) };
      }
    }),
  ];
}

/** The part of a blob that is meant. Throws `invalid` for one that is not in it. */
function rangeOf({ offset, size }: ReadContentRequest, total: number): { start: number; end: number } {
  const wanted = size === 0n ? BigInt(total) - offset : size;
  if (offset < 0n || offset > total || wanted < 0n)
    throw invalid(`there are no ${size} bytes at ${offset} of a blob of ${total} bytes`);
  return { start: Number(offset), end: Math.min(total, Number(offset + wanted)) };
}
