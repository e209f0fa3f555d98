import { release } from 'node:os';

/** Tells whether the kernel is of that version or a later one. */
export function kernelAtLeast(major: number, minor: number): boolean {
  const [first = 0, second = 0] = release().split('.').map(Number);
  return first > major || (first === major && second >= minor);
}
