import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import type { SystemError } from '#/base/errors.ts';
import { type Bytes, errno } from './libc.ts';

const codes: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).map(([name, number]) => [number, name]),
);

/**
 * The failure of `syscall` with the positive error number `errno`, shaped and worded like Node's own errors:
 * "ENOENT: no such file or directory, openat2 '/x'". As in Node, EOPNOTSUPP is "ENOTSUP" (one number on Linux).
 */
export function systemError(syscall: string, errno: number, path?: Bytes): SystemError {
  const [name, meaning] = getSystemErrorMap().get(-errno) ?? [];
  const code = name ?? codes.get(errno) ?? `E${errno}`;
  const where = path === undefined ? undefined : textOf(path);
  const message = `${code}: ${meaning ?? 'system error'}, ${syscall}${where === undefined ? '' : ` '${where}'`}`;
  const error: Error & { code?: string; errno?: number; syscall?: string; path?: string } = new Error(
    message,
  );
  error.errno = -errno;
  error.code = code;
  error.syscall = syscall;
  if (where !== undefined) error.path = where;
  return error as SystemError;
}

/** Passes a result that is not negative on; turns a negative one and errno into a SystemError. */
export function check(result: number, syscall: string, path?: Bytes): number {
  if (result < 0) throw systemError(syscall, errno(), path);
  return result;
}

/** Repeats `call` while a signal interrupts it. */
export function uninterrupted(call: () => number): number {
  for (;;) {
    const result = call();
    if (result >= 0 || errno() !== constants.errno.EINTR) return result;
  }
}

function textOf(path: Bytes): string {
  return typeof path === 'string'
    ? path
    : Buffer.from(path.buffer, path.byteOffset, path.byteLength).toString();
}
