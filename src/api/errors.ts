import { EngineError, type ErrorKind, isSystemError, messageOf } from '#/base/errors.ts';

const statuses: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  notFound: 404,
  conflict: 409,
  notModified: 304,
  unavailable: 503,
  tooLarge: 413,
  internal: 500,
  notImplemented: 501,
};

/** What a client is told of a failure. */
export interface Failure {
  readonly status: number;
  readonly message: string;
  /** Nobody foresaw it: its stack belongs in the log. */
  readonly isBug: boolean;
}

/** The answer to anything that was thrown while a request was handled. */
export function failureOf(error: unknown): Failure {
  if (error instanceof EngineError) {
    return { status: statuses[error.kind], message: error.message, isBug: false };
  }
  // The machine's failures (disk full, too many files) explain themselves; they are not bugs but must be seen.
  if (isSystemError(error)) return { status: 500, message: error.message, isBug: true };
  return { status: 500, message: messageOf(error), isBug: true };
}
