import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { EngineError, type ErrorKind, messageOf } from '#/base/errors.ts';
import { StatusSchema } from '../messages/status_pb.ts';

/** What gRPC calls its kinds of failure. */
export const grpcCodes = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  notFound: 5,
  alreadyExists: 6,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

/** Something that BuildKit's clients know how to show, beside the message: a type and its value as JSON. */
export interface ErrorDetail {
  /** `github.com/moby/buildkit/errdefs.Source+json`. */
  readonly type: string;
  readonly value: Buffer;
}

/** A call that failed, here or at the other side. */
export class GrpcError extends Error {
  readonly code: number;
  readonly details: readonly ErrorDetail[];

  constructor(
    code: number,
    message: string,
    options: { details?: readonly ErrorDetail[]; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'GrpcError';
    this.code = code;
    this.details = options.details ?? [];
  }
}

const codeOfKind: Readonly<Record<ErrorKind, number>> = {
  invalid: grpcCodes.invalidArgument,
  unauthorized: 16,
  forbidden: 7,
  notFound: grpcCodes.notFound,
  conflict: grpcCodes.alreadyExists,
  notModified: grpcCodes.unknown,
  unavailable: grpcCodes.unavailable,
  tooLarge: grpcCodes.resourceExhausted,
  internal: grpcCodes.internal,
  notImplemented: grpcCodes.unimplemented,
};

/** Anything that was thrown while a call was answered, as gRPC says it. */
export function grpcErrorOf(error: unknown): GrpcError {
  if (error instanceof GrpcError) return error;
  const code = error instanceof EngineError ? codeOfKind[error.kind] : grpcCodes.unknown;
  return new GrpcError(code, messageOf(error), { cause: error });
}

/** Tells whether nobody foresaw this failure. */
export function isBug(error: unknown): boolean {
  return !(error instanceof GrpcError) && !(error instanceof EngineError);
}

/** What ends a stream: success, or the failure. */
export function trailersOf(error: GrpcError | undefined): OutgoingHttpHeaders {
  if (error === undefined) return { 'grpc-status': '0' };
  const trailers: OutgoingHttpHeaders = {
    'grpc-status': String(error.code),
    'grpc-message': percentEncoded(error.message),
  };
  if (error.details.length === 0) return trailers;
  return { ...trailers, 'grpc-status-details-bin': Buffer.from(statusBytes(error)).toString('base64') };
}

/** The failure as a message, `google.rpc.Status`. */
export function statusBytes({ code, message, details }: GrpcError): Uint8Array {
  const status = create(StatusSchema, {
    code,
    message,
    details: details.map(({ type, value }) => ({ typeUrl: type, value })),
  });
  return toBinary(StatusSchema, status);
}

/** The failure that trailers tell of; undefined for success. */
export function errorInTrailers(trailers: IncomingHttpHeaders): GrpcError | undefined {
  const code = Number(single(trailers['grpc-status']) ?? Number.NaN);
  if (code === grpcCodes.ok) return undefined;
  if (!Number.isInteger(code)) return new GrpcError(grpcCodes.internal, 'the answer ended without a status');
  return new GrpcError(code, percentDecoded(single(trailers['grpc-message']) ?? ''), {
    details: detailsIn(single(trailers['grpc-status-details-bin'])),
  });
}

function detailsIn(encoded: string | undefined): ErrorDetail[] {
  if (encoded === undefined) return [];
  try {
    const { details } = fromBinary(StatusSchema, Buffer.from(encoded, 'base64'));
    return details.map(({ typeUrl, value }) => ({ type: typeUrl, value: Buffer.from(value) }));
  } catch {
    // The message says what is needed; what it is decorated with may be of any kind.
    return [];
  }
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** As gRPC wants it: everything but printable ASCII, and the percent sign. */
function percentEncoded(text: string): string {
  let encoded = '';
  for (const byte of Buffer.from(text)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

function percentDecoded(text: string): string {
  const bytes = text.replace(/%([0-9a-fA-F]{2})/g, (_all, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
