import { Directory } from './directory.ts';
import { Pacer } from './pacer.ts';
import { isDirectory, walkTree } from './walk-tree.ts';

/**
 * What the tree at `path` (of our own making) holds: the bytes of files and links as `docker ps --size` counts them, so
 * that directories are free, and inodes; each inode once. Shares the event loop.
 */
export async function treeUsage(path: string): Promise<{ bytes: number; inodes: number }> {
  using root = Directory.open(path);
  const pacer = new Pacer();
  const linked = new Set<bigint>();
  let bytes = 0;
  let inodes = 1;
  for (const { stat } of walkTree(root)) {
    if (pacer.due) await pacer.turn();
    if (stat.nlink > 1 && !isDirectory(stat.mode)) {
      if (linked.has(stat.ino)) continue;
      linked.add(stat.ino);
    }
    if (!isDirectory(stat.mode)) bytes += Number(stat.size);
    inodes += 1;
  }
  return { bytes, inodes };
}
