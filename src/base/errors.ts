/**
 * What went wrong, in terms that callers can act on. The API turns a kind into an HTTP status, the CLI into an
 * exit code; nothing else knows either.
 */
export type ErrorKind =
  | 'invalid'
  | 'unauthorized'
  | 'forbidden'
  | 'notFound'
  | 'conflict'
  | 'notModified'
  | 'unavailable'
  | 'tooLarge'
  | 'internal'
  | 'notImplemented';

/** An expected failure with a message for people. Anything that is not an EngineError is a bug in Skiff. */
export class EngineError extends Error {
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'EngineError';
    this.kind = kind;
  }
}

type Maker = (message: string, cause?: unknown) => EngineError;

function maker(kind: ErrorKind): Maker {
  return (message, cause) => new EngineError(kind, message, cause === undefined ? undefined : { cause });
}

/** The request itself is wrong: a value, a name, a combination of options. */
export const invalid: Maker = maker('invalid');
/** Known who asks, and they may not. */
export const forbidden: Maker = maker('forbidden');
/** The named thing does not exist. */
export const notFound: Maker = maker('notFound');
/** The request contradicts the present state: a name taken, a container running. */
export const conflict: Maker = maker('conflict');
/** Nothing to do: already in the state that was asked for. */
export const notModified: Maker = maker('notModified');
/** Something outside is not reachable now: a registry, a plugin, a stopping daemon. */
export const unavailable: Maker = maker('unavailable');
/** The input exceeds a bound. */
export const tooLarge: Maker = maker('tooLarge');
/** An expected failure of the machine (disk full, kernel refused), not of the request. */
export const internal: Maker = maker('internal');
/** A documented feature that does not exist yet; listed in docs/SCOPE.md. */
export const notImplemented: Maker = maker('notImplemented');

/** A failed system call, shaped like Node's own errors. */
export interface SystemError extends Error {
  /** Symbolic errno, for example "ENOENT". */
  code: string;
  /** Negative errno as in Node. */
  errno: number;
  syscall: string;
  path?: string;
}

/** Tells whether `error` is a failed system call (from Node or from kernel/), of one of `codes` if any are given. */
export function isSystemError(error: unknown, ...codes: string[]): error is SystemError {
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return false;
  return codes.length === 0 || codes.includes(String(error.code));
}

/** Tells whether `error` is an EngineError of the given kind. */
export function isKind(error: unknown, kind: ErrorKind): error is EngineError {
  return error instanceof EngineError && error.kind === kind;
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
