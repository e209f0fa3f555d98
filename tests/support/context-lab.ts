/** Trees as clients describe them, and stores to keep them in, for tests. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { ContextEntry } from '#/builder/context/context-entry.ts';
import { ContextStore } from '#/builder/context/context-store.ts';
import type { ContextUpdate } from '#/builder/context/context-update.ts';
import { openFileThreads } from '#/builder/files/file-threads.ts';
import { TreeDigests } from '#/builder/files/tree-digests.ts';
import type { ContextTree } from '#/builder/request.ts';
import { scratchDir } from './scratch-dir.ts';

/** One thing in a tree of a test. */
export interface Sample extends Partial<ContextEntry> {
  readonly path: string;
  readonly content?: string;
}

/** A store in a folder that goes with it. */
export interface StoreLab extends AsyncDisposable {
  readonly root: string;
  readonly digests: TreeDigests;
  /** Opens it, as the next daemon does. */
  readonly open: (budget?: number) => Promise<ContextStore>;
}

/** A folder for stores. */
export function storeLab(): StoreLab {
  const scratch = scratchDir();
  const files = openFileThreads();
  const digests = new TreeDigests(files);
  const root = scratch.join('contexts');
  return {
    root,
    digests,
    open: (budget = 1e9) => ContextStore.open({ root, files, digests, budget }),
    [Symbol.asyncDispose]: async () => {
      await files[Symbol.asyncDispose]();
      scratch[Symbol.dispose]();
    },
  };
}

/** The entry that a client sends for it. */
export function entryOf({ content = '', ...sample }: Sample): ContextEntry {
  const kind = sample.kind ?? 'file';
  return {
    kind,
    mode: kind === 'directory' ? 0o755 : kind === 'symlink' ? 0o777 : 0o644,
    uid: 0,
    gid: 0,
    size: kind === 'file' ? Buffer.byteLength(content) : 0,
    mtime: 1_700_000_000n * 1_000_000_000n,
    linkPath: '',
    ...sample,
  };
}

/** Sends a tree: all entries, then what is wanted, in small pieces of all files in turn. Gives the paths that were wanted. */
export async function send(update: ContextUpdate, samples: readonly Sample[]): Promise<string[]> {
  const wanted = samples.filter((sample) => update.entry(entryOf(sample)));
  const left = new Map(wanted.map(({ path, content = '' }) => [path, Buffer.from(content)]));
  while (left.size > 0) {
    for (const [path, bytes] of left) {
      const size = Math.max(10, bytes.length >> 2);
      if (bytes.length > 0) await update.write(path, bytes.subarray(0, size));
      left.set(path, bytes.subarray(size));
      if (bytes.length > size) continue;
      left.delete(path);
      await update.end(path);
    }
  }
  return wanted.map(({ path }) => path);
}

/** Brings a tree up to date. */
export async function bring(
  store: ContextStore,
  samples: readonly Sample[],
  key: string = 'key',
): Promise<{ tree: ContextTree; wanted: string[] }> {
  await using update = await store.update(key, { signal: new AbortController().signal });
  const wanted = await send(update, samples);
  return { tree: await update.finish(), wanted };
}

/** What is there, as samples with all that counts. */
export function found(root: string, prefix: string = ''): Sample[] {
  return readdirSync(join(root, prefix))
    .sort()
    .flatMap((name): Sample[] => {
      const path = `${prefix}${name}`;
      const stat = lstatSync(join(root, path), { bigint: true });
      const facts = {
        path,
        mode: Number(stat.mode) & 0o7777,
        uid: Number(stat.uid),
        gid: Number(stat.gid),
        mtime: stat.mtimeNs,
      };
      if (stat.isDirectory()) return [{ ...facts, kind: 'directory' }, ...found(root, `${path}/`)];
      if (stat.isSymbolicLink())
        return [{ ...facts, kind: 'symlink', linkPath: readlinkSync(join(root, path)) }];
      if (stat.isFIFO()) return [{ ...facts, kind: 'fifo' }];
      if (stat.isSocket()) return [{ ...facts, kind: 'socket' }];
      return [{ ...facts, kind: 'file', content: readFileSync(join(root, path), 'utf8') }];
    });
}

/** What should be found of a tree that was sent: a further name of a file is such a file. */
export function expected(samples: readonly Sample[]): Sample[] {
  const byPath = new Map(samples.map((sample) => [sample.path, sample]));
  return samples
    .map((sample): Sample => {
      const { size: _size, ...entry } = entryOf(sample);
      const { content = '' } = sample;
      if (entry.kind === 'file') {
        const { linkPath: _none, ...file } = entry;
        return { ...file, content };
      }
      if (entry.kind === 'hardlink') {
        const [first] = expected([byPath.get(entry.linkPath) as Sample]);
        return { ...(first as Sample), path: entry.path };
      }
      if (entry.kind === 'symlink') return entry;
      const { linkPath: _none, ...other } = entry;
      return other;
    })
    .toSorted((a, b) => (a.path.replaceAll('/', '\0') < b.path.replaceAll('/', '\0') ? -1 : 1));
}
