import { createHash, hash } from 'node:crypto';
import type { ByteString } from '#/base/byte-string.ts';
import { notFound } from '#/base/errors.ts';
import type { Spot } from '#/storage/tree/copy-node.ts';
import { openForReading } from '#/storage/tree/open-file.ts';
import { Pacer } from '#/storage/tree/pacer.ts';
import { xattrsOf } from '#/storage/tree/xattrs.ts';
import { TreeView } from './tree-view.ts';

/** Files to read; plain data that can go to another thread. */
export interface HashFilesJob {
  readonly root: string;
  /** Directories, relative to the root and without links, with names in them. */
  readonly groups: readonly { readonly path: ByteString; readonly names: readonly ByteString[] }[];
}

const bufferSize = 256 * 1024;

/** The SHA-256 digests of what files hold, with their extended attributes, one after the other in the order of the job. */
export async function hashFiles(
  { root, groups }: HashFilesJob,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Uint8Array> {
  using view = new TreeView({ root, lowers: [] });
  const pacer = new Pacer();
  const buffer = Buffer.allocUnsafe(bufferSize);
  const digests: Buffer[] = [];
  for (const { path, names } of groups) {
    using parent = view.open(path);
    if (parent === undefined) throw notFound(`directory "${path}" is gone`);
    for (const name of names) {
      digests.push(await hashFile({ parent, name }, buffer, pacer));
      signal?.throwIfAborted();
    }
  }
  return Buffer.concat(digests);
}

async function hashFile(spot: Spot, buffer: Buffer, pacer: Pacer): Promise<Buffer> {
  const content = await hashContent(spot, buffer, pacer);
  const xattrs = xattrsOf(spot);
  return xattrs.size === 0
    ? content
    : hash('sha256', `${content.toString('hex')} ${xattrText(xattrs)}`, 'buffer');
}

async function hashContent(spot: Spot, buffer: Buffer, pacer: Pacer): Promise<Buffer> {
  using file = openForReading(spot);
  const first = file.read(buffer, 0);
  if (first < buffer.length) return hash('sha256', buffer.subarray(0, first), 'buffer');
  const whole = createHash('sha256');
  for (let offset = 0, got = first; got > 0; got = file.read(buffer, offset)) {
    whole.update(buffer.subarray(0, got));
    offset += got;
    if (pacer.due) await pacer.turn();
  }
  return whole.digest();
}

/** Extended attributes in one form. */
export function xattrText(xattrs: ReadonlyMap<ByteString, Buffer>): string {
  const sorted = [...xattrs].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(sorted.map(([name, value]) => [name, value.toString('latin1')]));
}
