import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { textOf } from '#/base/byte-string.ts';
import { isSystemError, messageOf } from '#/base/errors.ts';
import type { TarEntry } from '#/tar/tar-entry.ts';
import { unpackInto } from './unpack.ts';

/** What is read of an entry of `index.json` (image-spec, image-layout.md); the rest is kept. */
interface LayoutEntry {
  readonly digest?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** `index.json` of an OCI image layout. */
interface LayoutIndex {
  readonly manifests?: readonly LayoutEntry[];
}

/** Annotations that name an image, and one that only is its tag or name. */
const imageName = 'io.containerd.image.name';
const refName = 'org.opencontainers.image.ref.name';

/** What archives for docker have beside the layout; it tells of one image only. */
const ofArchives = new Set(['manifest.json', 'repositories']);

/** The longest index that is taken. Bytes. */
const maxIndex = 4 * 1024 * 1024;

/**
 * Unpacks an OCI image layout into a folder that may have one already: images that it has and that are not of the same name
 * stay in its index. The index is written last. Throws an Error.
 */
export async function unpackLayout(root: string, entries: AsyncIterable<TarEntry>): Promise<void> {
  const path = join(root, 'index.json');
  let added: LayoutIndex | undefined;
  async function* others(): AsyncGenerator<TarEntry, void, undefined> {
    for await (const entry of entries) {
      const name = textOf(entry.path);
      if (name === 'index.json') added = await readIndex(entry);
      else if (!ofArchives.has(name)) yield entry;
    }
  }
  await unpackInto(root, others());
  if (added === undefined) throw new Error('the daemon sent an image without an index');
  const draft = `${path}.part-${process.pid}`;
  writeFileSync(draft, JSON.stringify(merged(indexAt(path), added)));
  renameSync(draft, path);
}

async function readIndex({ body, size }: TarEntry): Promise<LayoutIndex> {
  if (size > maxIndex) throw new Error(`the daemon sent an index of ${size} bytes`);
  // The daemon is trusted to send an index.
  return JSON.parse(Buffer.concat(await Array.fromAsync(body)).toString()) as LayoutIndex;
}

function indexAt(path: string): LayoutIndex {
  try {
    const index: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof index !== 'object' || index === null) throw new Error('it is no object');
    return index;
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return {};
    throw new Error(`cannot add an image to the index ${path}: ${messageOf(error)}`, { cause: error });
  }
}

function merged(old: LayoutIndex, added: LayoutIndex): LayoutIndex {
  const fresh = added.manifests ?? [];
  const names = new Set(fresh.map(nameOf));
  const kept = (old.manifests ?? []).filter((entry) => !names.has(nameOf(entry)));
  return { ...added, manifests: [...kept, ...fresh] };
}

/** Two entries with the same one are the same image. */
function nameOf({ digest = '', annotations = {} }: LayoutEntry): string {
  return annotations[imageName] ?? annotations[refName] ?? digest;
}
