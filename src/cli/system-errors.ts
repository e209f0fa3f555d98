import { getSystemErrorMessage } from 'node:util';
import { isSystemError, messageOf, type SystemError } from '#/base/errors.ts';

/** Where Go words an error number otherwise than Node. */
const words: Readonly<Record<string, string>> = {
  EEXIST: 'file exists',
  EISDIR: 'is a directory',
};

/** Longer paths are shown without their middle. */
const maxPath = 300;

/** The message of any error; that of a failed system call as Go writes it: `open /x: no such file or directory`. */
export function goMessage(error: unknown): string {
  // Bun's errors do not always name the call in a member of its own.
  const [, text = '', call = '', quoted] =
    /^[A-Z0-9]+: ([^,]*), (\w+)(?: '(.*)')?/s.exec(messageOf(error)) ?? [];
  if (call === '' && !isSystemError(error)) return messageOf(error);
  const {
    code,
    syscall = call,
    path = quoted,
    errno,
  } = error as Pick<SystemError, 'code' | 'errno'> & Partial<SystemError>;
  const shown = path === undefined ? '' : ` ${shortPath(path)}`;
  // The errors of sockets are not told in words.
  return `${syscall}${shown}: ${words[code] ?? (text || getSystemErrorMessage(errno))}`;
}

function shortPath(path: string): string {
  const half = maxPath / 2;
  return path.length <= maxPath ? path : `${path.slice(0, half)}…${path.slice(-half)}`;
}
