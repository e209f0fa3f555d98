import { mkdirSync } from 'node:fs';
import { mount, unmount } from '#/kernel/mount.ts';

/** Mounts a file system of `mebibytes` MiB on the new directory `path`, until it is disposed of. */
export function smallDisk(path: string, mebibytes: number): Disposable {
  mkdirSync(path);
  mount({ type: 'tmpfs', source: 'tmpfs', options: [`size=${mebibytes}m`] }, path);
  return { [Symbol.dispose]: () => unmount(path) };
}
