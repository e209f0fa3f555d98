import { getSystemErrorMessage } from 'node:util';
import { isSystemError, messageOf } from '#/base/errors.ts';

/** Where Go words an error number otherwise than Node. */
const words: Readonly<Record<string, string>> = {
  EEXIST: 'file exists',
  EISDIR: 'is a directory',
};

/** The message of any error; that of a failed system call as Go writes it: `open /x: no such file or directory`. */
export function goMessage(error: unknown): string {
  if (!isSystemError(error)) return messageOf(error);
  // Those of sockets are not told in words.
  const [, text = getSystemErrorMessage(error.errno)] = /^[A-Z0-9]+: ([^,]*)/.exec(error.message) ?? [];
  const path = error.path === undefined ? '' : ` ${error.path}`;
  return `${error.syscall}${path}: ${words[error.code] ?? text}`;
}
