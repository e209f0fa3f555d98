import { constants, lstatSync } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { invalid, isSystemError } from '#/base/errors.ts';
import { readDigest } from '#/oci/descriptor.ts';
import { parseJson } from '#/oci/json.ts';
import { decompress } from '#/storage/archive/compression.ts';
import { extractTar } from '#/storage/archive/extract.ts';
import { undoForeign } from '#/storage/archive/foreign-compression.ts';
import type { TreeThreads } from '#/storage/tree/tree-threads.ts';
import type { CacheMountIdentity, CacheMounts } from './cache-mounts.ts';

/** The file beside `data` that says what the directory is for. */
const identityFile = 'mount.json';
const maxIdentityBytes = 64 * 1024;
const maxName = 4096;

/** The directory of a cache mount as an archive: its files in `data`, and what it is for. Steps may write to it meanwhile. */
export async function* exportCacheMount(
  mounts: CacheMounts,
  id: number,
  trees: TreeThreads,
): AsyncGenerator<Uint8Array, void, undefined> {
  using folder = mounts.folder(id);
  const { path, key, name } = folder;
  await writeFile(join(path, identityFile), JSON.stringify({ key, name }), { mode: 0o600 });
  yield* trees.pack({ source: { kind: 'tree', path } });
}

/**
 * Makes a cache mount of an archive that `exportCacheMount` has made, on this machine or another, instead of what is there for
 * the same steps. Throws `invalid` for other archives, `conflict` while a step uses the mount; then nothing has changed.
 */
export async function importCacheMount(
  mounts: CacheMounts,
  bytes: AsyncIterable<Uint8Array>,
  { signal }: { signal: AbortSignal },
): Promise<{ readonly id: number; readonly name: string }> {
  await using draft = await mounts.draft();
  const archive = await decompress(await undoForeign(bytes));
  await extractTar(archive.bytes, { root: draft.path, whiteouts: 'none', signal });
  // Steps get this very directory: an archive could have put a link to another one in its place.
  const data = lstatSync(join(draft.path, 'data'), { throwIfNoEntry: false });
  if (data?.isDirectory() !== true)
    throw invalid('Cannot import cache mount: the archive has no directory "data"');
  const identity = await readIdentity(join(draft.path, identityFile));
  return { id: await mounts.adopt(draft.path, identity), name: identity.name };
}

async function readIdentity(path: string): Promise<CacheMountIdentity> {
  let bytes: Buffer;
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stats = await file.stat();
    if (!stats.isFile() || stats.size > maxIdentityBytes)
      throw invalid(`Cannot import cache mount: ${identityFile} is no such file`);
    bytes = await file.readFile();
  } catch (error) {
    if (!isSystemError(error, 'ENOENT', 'ELOOP', 'ENXIO')) throw error;
    throw invalid(`Cannot import cache mount: the archive has no file "${identityFile}"`, error);
  }
  const document = parseJson(bytes, { what: identityFile, maxBytes: maxIdentityBytes });
  const name = document.get('name').string();
  if (name.length > maxName) throw invalid(`${identityFile}: the name is longer than ${maxName} characters`);
  return { key: readDigest(document.get('key')), name };
}
