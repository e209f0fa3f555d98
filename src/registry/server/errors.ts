import type { OutgoingHttpHeaders } from 'node:http';
import { EngineError, type ErrorKind, isSystemError } from '#/base/errors.ts';
import { isDiskFullError } from '#/state/db.ts';

/** The error codes of the OCI distribution specification ("Error Codes"), and `UNKNOWN` for failures of the server. */
type ErrorCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'SIZE_INVALID'
  | 'UNAUTHORIZED'
  | 'DENIED'
  | 'UNSUPPORTED'
  | 'TOOMANYREQUESTS'
  | 'UNKNOWN';

/** One element of the list of errors in a body. */
interface ErrorEntry {
  readonly code: ErrorCode;
  readonly message: string;
  /** Any JSON; what the request named. */
  readonly detail?: unknown;
}

/** An answer other than success, in the terms of the specification. */
export class RegistryError extends Error {
  readonly status: number;
  readonly entries: readonly ErrorEntry[];
  readonly headers: OutgoingHttpHeaders;

  constructor(status: number, entries: readonly ErrorEntry[], headers: OutgoingHttpHeaders = {}) {
    super(entries.map(({ message }) => message).join('; '));
    this.name = 'RegistryError';
    this.status = status;
    this.entries = entries;
    this.headers = headers;
  }
}

/** The blob is not in this repository, wherever else it may be. */
export function blobUnknown(digest: string): RegistryError {
  return one(404, {
    code: 'BLOB_UNKNOWN',
    message: `blob "${digest}" is not in this repository`,
    detail: { digest },
  });
}

/** The manifest or tag is not in this repository, or not in a form that the client takes, which `reason` says. */
export function manifestUnknown(reference: string, reason = 'it is not in this repository'): RegistryError {
  const message = `manifest "${reference}" cannot be served: ${reason}`;
  return one(404, { code: 'MANIFEST_UNKNOWN', message, detail: { reference } });
}

/** There is no such upload, it has ended, or it belongs to another repository. */
export function uploadUnknown(id: string): RegistryError {
  const message =
    'this upload does not exist: it has ended, was cancelled or timed out; begin a new one with POST';
  return one(404, { code: 'BLOB_UPLOAD_UNKNOWN', message, detail: { upload: id } });
}

/** A chunk does not begin where the upload stands (416); `headers` say where that is. */
export function chunkOutOfOrder(message: string, headers: OutgoingHttpHeaders): RegistryError {
  return new RegistryError(416, [{ code: 'BLOB_UPLOAD_INVALID', message }], headers);
}

/** An upload request that cannot be carried out as it was written. */
export function uploadInvalid(message: string): RegistryError {
  return one(400, { code: 'BLOB_UPLOAD_INVALID', message });
}

/** A digest that is malformed, of an unknown algorithm, or not that of the content. */
export function digestInvalid(message: string, digest: string): RegistryError {
  return one(400, { code: 'DIGEST_INVALID', message, detail: { digest } });
}

/** Content of another length than was said. */
export function sizeInvalid(message: string): RegistryError {
  return one(400, { code: 'SIZE_INVALID', message });
}

/** More than this registry accepts (413). */
export function tooLarge(message: string): RegistryError {
  return one(413, { code: 'SIZE_INVALID', message });
}

/** A range that the blob does not have (416); `size` is the blob's, in bytes. */
export function rangeUnsatisfiable(range: string, size: number): RegistryError {
  const message = `range "${range}" is not within the ${size} bytes of this blob`;
  return new RegistryError(416, [{ code: 'SIZE_INVALID', message }], { 'Content-Range': `bytes */${size}` });
}

/** The document is not a manifest that this registry takes. */
export function manifestInvalid(message: string, status: 400 | 413 | 415 = 400): RegistryError {
  return one(status, { code: 'MANIFEST_INVALID', message });
}

/** A manifest that refers to content that is not in its repository, with one error for each. */
export function manifestBlobUnknown(digests: readonly string[]): RegistryError {
  const entries = digests.map((digest): ErrorEntry => {
    const message = `the manifest refers to "${digest}", which is not in this repository; push it first`;
    return { code: 'MANIFEST_BLOB_UNKNOWN', message, detail: { digest } };
  });
  return new RegistryError(404, entries);
}

/** A repository's name, or a tag, that the specification does not allow. */
export function nameInvalid(message: string, status: 400 | 414 = 400): RegistryError {
  return one(status, { code: 'NAME_INVALID', message });
}

/** Nothing was ever pushed there, or all of it is gone. */
export function nameUnknown(repository: string): RegistryError {
  return one(404, {
    code: 'NAME_UNKNOWN',
    message: `repository "${repository}" does not exist`,
    detail: { name: repository },
  });
}

/** Nobody known asks; `challenge` is the value of WWW-Authenticate. */
export function unauthorized(message: string, challenge: string): RegistryError {
  return new RegistryError(401, [{ code: 'UNAUTHORIZED', message }], { 'WWW-Authenticate': challenge });
}

/** It is known who asks, and they may not. */
export function denied(message: string): RegistryError {
  return one(403, { code: 'DENIED', message });
}

/** No such place in the API. */
export function pageUnknown(path: string): RegistryError {
  return one(404, { code: 'UNSUPPORTED', message: `there is nothing at "${path}"` });
}

/** The place exists, the method does not. */
export function methodUnsupported(method: string, allowed: readonly string[]): RegistryError {
  const message = `method ${method} is not supported here, only ${allowed.join(', ')}`;
  return new RegistryError(405, [{ code: 'UNSUPPORTED', message }], { Allow: allowed.join(', ') });
}

/** A parameter that is malformed (400) or asks for what this registry does not do. */
export function unsupported(message: string): RegistryError {
  return one(400, { code: 'UNSUPPORTED', message });
}

/** A limit on requests; `retryAfter` is in seconds. */
export function tooManyRequests(message: string, retryAfter: number): RegistryError {
  const headers = { 'Retry-After': String(Math.max(1, Math.ceil(retryAfter))) };
  return new RegistryError(429, [{ code: 'TOOMANYREQUESTS', message }], headers);
}

/** The registry does not serve this now (503): it is being stopped, or something that it needs is away. */
export function unavailable(message: string): RegistryError {
  return new RegistryError(503, [{ code: 'UNKNOWN', message }], { 'Retry-After': '5' });
}

/** What is answered to a request that failed with `error`. */
export interface Failure {
  readonly error: RegistryError;
  /** True: something is wrong with this program, which is logged with its stack. */
  readonly isBug: boolean;
}

const statuses: Readonly<Record<ErrorKind, readonly [number, ErrorCode]>> = {
  invalid: [400, 'UNSUPPORTED'],
  unauthorized: [401, 'UNAUTHORIZED'],
  forbidden: [403, 'DENIED'],
  notFound: [404, 'UNSUPPORTED'],
  conflict: [409, 'DENIED'],
  notModified: [304, 'UNSUPPORTED'],
  unavailable: [503, 'UNKNOWN'],
  tooLarge: [413, 'SIZE_INVALID'],
  internal: [500, 'UNKNOWN'],
  notImplemented: [501, 'UNSUPPORTED'],
};

/** The answer to whatever was thrown. */
export function failureOf(error: unknown): Failure {
  if (error instanceof RegistryError) return { error, isBug: false };
  if (isSystemError(error, 'ENOSPC', 'EDQUOT') || isDiskFullError(error)) {
    const message = 'the registry has no room left on its disk; nothing was changed';
    return { error: new RegistryError(507, [{ code: 'UNKNOWN', message }]), isBug: false };
  }
  if (error instanceof EngineError) {
    const [status, code] = statuses[error.kind];
    return { error: one(status, { code, message: error.message }), isBug: false };
  }
  const message = 'the registry failed to answer this request; its log says why';
  return { error: new RegistryError(500, [{ code: 'UNKNOWN', message }]), isBug: true };
}

/** The body of an answer, in the form that the specification asks for. */
export function errorBody(error: RegistryError): Buffer {
  return Buffer.from(`${JSON.stringify({ errors: error.entries })}\n`);
}

function one(status: number, entry: ErrorEntry): RegistryError {
  return new RegistryError(status, [entry]);
}
