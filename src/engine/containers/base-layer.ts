import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What every container gets mounted, as far as images need not have a place for it. */
const directories = ['dev', 'etc', 'proc', 'sys'];
const files = ['etc/hosts', 'etc/hostname', 'etc/resolv.conf'];

/**
 * Makes the layer that lies below all images: places for the mounts that every container has. Otherwise the runtime makes
 * them in each container's own layer, at each first start, file by file (2 ms and more). Containers that run see it: what
 * is there is left alone.
 */
export function makeBaseLayer(root: string): void {
  // What leads there is for nobody else.
  mkdirSync(root, { recursive: true, mode: 0o700 });
  for (const name of directories) mkdirSync(join(root, name), { recursive: true });
  for (const name of files) writeFileSync(join(root, name), '', { flag: 'a' });
  // Whatever umask the daemon was started with.
  for (const name of directories) chmodSync(join(root, name), 0o755);
  for (const name of files) chmodSync(join(root, name), 0o644);
}
