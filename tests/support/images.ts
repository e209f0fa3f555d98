import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { mount, unmount } from '#/kernel/mount.ts';
import { digestOf } from '#/oci/digest.ts';
import { Database } from '#/state/db.ts';
import { UnpackThreads } from '#/storage/archive/unpack-threads.ts';
import { ContentStore } from '#/storage/content/content-store.ts';
import type { ImageParts } from '#/storage/images/record.ts';
import { ImageStore } from '#/storage/images.ts';
import { type KeepPolicy, LayerArchives } from '#/storage/layer-archives.ts';
import { Layers } from '#/storage/layers.ts';
import { openSnapshotter } from '#/storage/snapshots/open-snapshotter.ts';
import type { DriverName, Snapshotter } from '#/storage/snapshots/snapshotter.ts';
import { TreeThreads } from '#/storage/tree/tree-threads.ts';
import { fileHeader } from '#/tar/tar-entry.ts';
import { type TarInput, writeTar } from '#/tar/tar-writer.ts';

/** A complete image store in a temporary folder. */
export interface ImageScratch extends ImageParts, AsyncDisposable {
  readonly db: Database;
  readonly dir: string;
  readonly snapshots: Snapshotter;
  readonly trees: TreeThreads;
  /** What a restart of the daemon would find. */
  readonly reopen: () => Promise<ImageParts>;
  /** Everything that is stored, in figures; all zero for an empty store. */
  readonly footprint: () => Promise<{ images: number; blobs: number; snapshots: number; layers: number }>;
}

/** Opens an empty image store, on request on a disk of `diskSize` bytes; it goes when it is disposed of. */
export async function openImages({
  diskSize,
  policy = 'compressed',
  driver = 'vfs',
}: {
  diskSize?: number;
  policy?: KeepPolicy;
  driver?: DriverName;
} = {}): Promise<ImageScratch> {
  const dir = mkdtempSync(join(tmpdir(), 'skiff-images-'));
  if (diskSize !== undefined) mount({ type: 'tmpfs', source: 'tmpfs', options: [`size=${diskSize}`] }, dir);
  const db = new Database(':memory:');
  const threads = new UnpackThreads();
  const trees = new TreeThreads();
  const snapshots = await openSnapshotter({ root: join(dir, 'snapshots'), db, driver });
  const reopen = async (): Promise<ImageParts> => {
    const content = await ContentStore.open({ root: join(dir, 'content') });
    const layers = new Layers({ content, snapshots, threads, trees, db });
    const archives = new LayerArchives({ policy, content, layers, snapshots, threads, trees, db });
    await layers.reconcile();
    return { content, layers, archives, images: await ImageStore.open({ db, content, layers }) };
  };
  const parts = await reopen();
  return {
    ...parts,
    db,
    dir,
    snapshots,
    trees,
    reopen,
    footprint: async () => ({
      images: parts.images.list().length,
      blobs: (await parts.content.list()).length,
      snapshots: snapshots.list().length,
      layers: Number(db.prepare('SELECT count(*) AS n FROM layers').get()?.['n']),
    }),
    [Symbol.asyncDispose]: async () => {
      await threads[Symbol.asyncDispose]();
      await trees[Symbol.asyncDispose]();
      db.close();
      if (diskSize !== undefined) unmount(dir, { detach: true });
      rmSync(dir, { recursive: true });
    },
  };
}

/** A tar archive of plain files, or of whatever entries are given. */
export async function tarOf(
  files: Readonly<Record<string, string | Uint8Array>>,
  more: readonly TarInput[] = [],
): Promise<Buffer> {
  const entries = Object.entries(files).map(([path, content]): TarInput => {
    const bytes = Buffer.from(content);
    return { ...fileHeader(path, bytes.length), body: [bytes] };
  });
  return Buffer.concat(await Array.fromAsync(writeTar([...entries, ...more])));
}

/** The smallest configuration of an image with these uncompressed layers. */
export function configOf(layers: readonly Uint8Array[], more: object = {}): string {
  return JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => digestOf(layer)) },
    history: layers.map(() => ({ created_by: 'test' })),
    ...more,
  });
}

/** An archive as `docker save` wrote it before version 25: one image of uncompressed layers. */
export function dockerArchive(
  names: readonly string[],
  layers: readonly Buffer[],
  more?: object,
): Promise<Buffer> {
  const paths = layers.map((_, i) => `${i}/layer.tar`);
  return tarOf({
    ...Object.fromEntries(layers.map((layer, i) => [`${i}/layer.tar`, layer])),
    'config.json': configOf(layers, more),
    'manifest.json': JSON.stringify([{ Config: 'config.json', RepoTags: names, Layers: paths }]),
  });
}

/** Bytes as a stream of small chunks. */
export function streamOf(bytes: Uint8Array): Readable {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 10_000) chunks.push(bytes.subarray(at, at + 10_000));
  return Readable.from(chunks);
}
