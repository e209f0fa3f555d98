import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BuildDocument, CacheDocument } from '#/wire/build.ts';
import type { Output } from '../command.ts';
import { goMessage } from '../system-errors.ts';
import { type LocalContext, localContext } from './local-context.ts';
import type { ClientSink } from './outputs.ts';

/** Caches of a build, with the folders of this machine that are among them. */
export interface PlannedCaches {
  readonly CacheFrom: readonly CacheDocument[];
  readonly CacheTo: readonly CacheDocument[];
  /** Folders to be sent, by the names that the documents have for them. */
  readonly folders: ReadonlyMap<string, LocalContext>;
  /** Folders to be filled, by the streams that bring their content. */
  readonly sinks: ReadonlyMap<string, ClientSink>;
}

/** Finds the folders that caches of type `local` mean. One that has no cache is told and left out. Throws an Error. */
export function planCaches(
  { CacheFrom = [], CacheTo = [] }: Pick<BuildDocument, 'CacheFrom' | 'CacheTo'>,
  stderr: Output,
): PlannedCaches {
  const folders = new Map<string, LocalContext>();
  const sinks = new Map<string, ClientSink>();
  const from = CacheFrom.flatMap((cache, index): CacheDocument[] => {
    if (cache.Type !== 'local') return [cache];
    const { src = '', digest = '', tag = 'latest' } = cache.Attributes ?? {};
    if (src === '') throw new Error('local cache importer requires src');
    const Name = `cache-from-${index}`;
    try {
      const found = digest === '' ? digestIn(src, tag) : digest;
      folders.set(Name, localContext(src));
      return [{ ...cache, Name, Attributes: { ...cache.Attributes, digest: found } }];
    } catch (error) {
      stderr.write(`WARNING: local cache import at ${src} not found due to err: ${goMessage(error)}\n`);
      return [];
    }
  });
  const to = CacheTo.map((cache, index): CacheDocument => {
    if (cache.Type !== 'local') return cache;
    const { dest = '' } = cache.Attributes ?? {};
    if (dest === '') throw new Error('local cache exporter requires dest');
    const Stream = `cache-to-${index}`;
    sinks.set(Stream, { kind: 'layout', path: dest });
    return { ...cache, Stream };
  });
  return { CacheFrom: from, CacheTo: to, folders, sinks };
}

/** What the index of a layout has under a tag. */
function digestIn(folder: string, tag: string): string {
  const index = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as LayoutIndex;
  const found = index.manifests?.find(
    ({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] === tag,
  );
  if (found?.digest === undefined) throw new Error(`the cache has no tag ${JSON.stringify(tag)}`);
  return found.digest;
}

/** The members that are read of `index.json` (image-spec, image-layout.md). */
interface LayoutIndex {
  readonly manifests?: readonly {
    readonly digest?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  }[];
}
