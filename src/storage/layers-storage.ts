/** A complete storage for tests, in a directory. */
import { Database } from '#/state/db.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { UnpackThreads } from './archive/unpack-threads.ts';
import { ContentStore } from './content/content-store.ts';
import { Layers } from './layers.ts';
import { openSnapshotter } from './snapshots/open-snapshotter.ts';
import type { DriverName, Snapshotter } from './snapshots/snapshotter.ts';
import { TreeThreads } from './tree/tree-threads.ts';

/** The parts of a storage. */
export interface TestStorage extends AsyncDisposable {
  readonly root: string;
  readonly db: Database;
  readonly content: ContentStore;
  readonly snapshots: Snapshotter;
  readonly layers: Layers;
  readonly trees: TreeThreads;
}

/** Opens a storage in `root`, or in a directory that goes away with it. */
export async function openStorage(
  options: { root?: string; driver?: DriverName } = {},
): Promise<TestStorage> {
  const { driver = 'overlay2' } = options;
  await using stack = new AsyncDisposableStack();
  const root = options.root ?? stack.use(scratchDir()).path;
  const db = stack.use(new Database(`${root}/state.db`));
  const threads = stack.use(new UnpackThreads());
  const trees = stack.use(new TreeThreads());
  const content = await ContentStore.open({ root: `${root}/content` });
  const snapshots = await openSnapshotter({ root: `${root}/snapshots`, db, driver });
  const layers = new Layers({ content, snapshots, threads, trees, db });
  const owned = stack.move();
  return { root, db, content, snapshots, layers, trees, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
