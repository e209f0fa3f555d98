/** Unpacking for tests. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { pieces, tarOf } from '#/tar/tar-samples.ts';
import type { TarInput } from '#/tar/tar-writer.ts';
import { type ExtractOptions, extractTar } from './extract.ts';

/** Unpacks entries into `root`. */
export async function unpack(
  root: string,
  entries: readonly TarInput[],
  options: Partial<ExtractOptions> = {},
): Promise<void> {
  await extractTar(pieces(await tarOf(...entries)), { root, whiteouts: 'none', ...options });
}

/** Every path in a tree with what it is: text of files, targets of links. */
export function treeOf(root: string): Record<string, string> {
  const tree: Record<string, string> = {};
  for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' }).sort()) {
    const stat = lstatSync(`${root}/${name}`);
    if (stat.isFile()) tree[name] = readFileSync(`${root}/${name}`, 'utf8');
    else if (stat.isSymbolicLink()) tree[name] = `-> ${readlinkSync(`${root}/${name}`)}`;
    else if (stat.isCharacterDevice()) tree[name] = `device ${stat.rdev}`;
    else tree[name] = stat.isDirectory() ? 'directory' : 'other';
  }
  return tree;
}
