import type { StatusSink } from '../progress.ts';
import type { ArchiveSink, TreeSink } from '../request.ts';
import type { PlatformImage } from './image-package.ts';
import { openRoots, type RootOptions, type RootParts } from './root.ts';

interface Control {
  readonly signal: AbortSignal;
  readonly progress: StatusSink;
}

/** Sends the files of results: links as they are, owners, modes, times and attributes as in the image. */
export async function exportTree(
  images: readonly PlatformImage[],
  { parts, sink, ...options }: RootOptions & { parts: RootParts; sink: TreeSink },
  control: Control,
): Promise<void> {
  await using root = await openRoots(images, parts, options);
  await sink.write(root.path, control);
}

/** Sends the files of results as one archive. The same results give the same bytes. */
export async function exportTar(
  images: readonly PlatformImage[],
  { parts, sink, ...options }: RootOptions & { parts: RootParts; sink: ArchiveSink },
  { signal, progress }: Control,
): Promise<void> {
  await using root = await openRoots(images, parts, options);
  const started = new Date();
  const id = 'sending tarball';
  let current = 0;
  async function* counted(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of parts.trees.pack({ source: { kind: 'tree', path: root.path } })) {
      signal.throwIfAborted();
      yield chunk;
      current += chunk.length;
      progress({ id, current, total: 0, started });
    }
  }
  await sink.write(counted(), { signal });
  progress({ id, current, total: current, started, completed: new Date() });
}
