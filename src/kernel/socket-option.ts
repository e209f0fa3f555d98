import { check } from './errno.ts';
import { libc } from './libc.ts';

/** Sets an integer option of a socket; the number tells it in the error. */
export function setSocketOption(fd: number, level: number, option: { name: number; value: number }): void {
  const value = Buffer.alloc(4);
  value.writeInt32LE(option.value);
  check(libc.setsockopt(fd, level, option.name, value, value.length), `setsockopt(${level}, ${option.name})`);
}
