import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { internal } from '#/base/errors.ts';
import { type StatusResponse, StatusResponseSchema } from '../messages/control_pb.ts';

/** Bytes of the length in front of a message. */
const prefixSize = 4;

/** All that was told of a build as one blob, as BuildKit keeps it: messages, each with its length in front, little-endian. */
export function encodeStatusLog(told: readonly StatusResponse[]): Buffer {
  return Buffer.concat(
    told.flatMap((status) => {
      const bytes = toBinary(StatusResponseSchema, status);
      const prefix = Buffer.alloc(prefixSize);
      prefix.writeUInt32LE(bytes.length);
      return [prefix, bytes];
    }),
  );
}

/** The messages of such a blob. */
export function* decodeStatusLog(log: Uint8Array): Generator<StatusResponse> {
  const bytes = Buffer.from(log.buffer, log.byteOffset, log.length);
  for (let at = 0; at < bytes.length; ) {
    const start = at + prefixSize;
    const end = start <= bytes.length ? start + bytes.readUInt32LE(at) : Number.POSITIVE_INFINITY;
    if (end > bytes.length) throw internal('the log of a build in the history is cut off');
    yield fromBinary(StatusResponseSchema, bytes.subarray(start, end));
    at = end;
  }
}
