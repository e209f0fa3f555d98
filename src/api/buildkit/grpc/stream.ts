import type { Http2Stream } from 'node:http2';
import { Unframer } from './framing.ts';
import { GrpcError, grpcCodes } from './status.ts';

/** What comes in on one stream, message by message; the other side is slowed down to the speed of the reader. */
export async function* receivedMessages(stream: Http2Stream): AsyncGenerator<Buffer> {
  const unframer = new Unframer();
  // Who stops reading may still have something to say.
  const chunks = stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  for await (const chunk of chunks) yield* unframer.take(chunk);
  if (unframer.isIncomplete) throw new GrpcError(grpcCodes.internal, 'the stream ended within a message');
}

/** Writes, and waits for room if there is none. Throws once the stream is closed. */
export async function written(stream: Http2Stream, bytes: Uint8Array): Promise<void> {
  if (stream.closed || stream.destroyed) throw closedError();
  if (stream.write(bytes)) return;
  await new Promise<void>((resolve, reject) => {
    const done = (): void => {
      stream.off('drain', done);
      stream.off('close', done);
      if (stream.closed || stream.destroyed) reject(closedError());
      else resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
  });
}

function closedError(): GrpcError {
  return new GrpcError(grpcCodes.cancelled, 'the other side has closed the stream');
}
