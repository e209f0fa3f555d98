/** Trees to copy from and into, for tests. */
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type CopyRequest, copyInto } from '#/builder/files/copy-into.ts';
import { mount, unmount } from '#/kernel/mount.ts';
import { openStorage, type TestStorage } from '#/storage/layers-storage.ts';
import type { DriverName } from '#/storage/snapshots/snapshotter.ts';
import { scratchDir } from './scratch-dir.ts';

/** Files by name: contents. */
export type Tree = Readonly<Record<string, string>>;

/** Makes files of names and contents; a name with a slash at its end is a directory, `->` before a content makes a link. */
function make(root: string, tree: Tree): void {
  for (const [name, content] of Object.entries(tree)) {
    const path = join(root, name);
    mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true });
    if (name.endsWith('/')) continue;
    if (content.startsWith('->')) symlinkSync(content.slice(2), path);
    else writeFileSync(path, content);
  }
}

/** What `make` would make the tree of. */
export function shown(root: string, prefix: string = ''): Tree {
  const tree: Record<string, string> = {};
  for (const name of readdirSync(join(root, prefix)).sort()) {
    const path = `${prefix}${name}`;
    const stat = lstatSync(join(root, path));
    if (stat.isDirectory()) Object.assign(tree, { [`${path}/`]: '' }, shown(root, `${path}/`));
    else if (stat.isSymbolicLink()) tree[path] = `->${readlinkSync(join(root, path))}`;
    else tree[path] = stat.isFile() ? readFileSync(join(root, path), 'utf8') : 'other';
  }
  return tree;
}

/** A place to try copying in: a source, and an image to copy into. */
export class Lab implements AsyncDisposable {
  readonly source: string;
  readonly storage: TestStorage;
  readonly #stack: AsyncDisposableStack;
  #count = 0;

  private constructor(
    stack: AsyncDisposableStack,
    { source, storage }: { source: string; storage: TestStorage },
  ) {
    this.#stack = stack;
    this.source = source;
    this.storage = storage;
  }

  /** Opens one with files to copy, and an image that has others. */
  static async open(driver: DriverName, { source, image }: { source: Tree; image: Tree }): Promise<Lab> {
    await using stack = new AsyncDisposableStack();
    const storage = stack.use(await openStorage({ driver }));
    const from = join(storage.root, 'source');
    make(from, source);
    // Two layers, so that directories are merged.
    const names = Object.entries(image);
    const half = Math.ceil(names.length / 2);
    const { snapshots } = storage;
    for (const [index, part] of [names.slice(0, half), names.slice(half)].entries()) {
      const key = `making-${index}`;
      const parent = index === 0 ? undefined : 'image-0';
      const mounts = await snapshots.prepare(key, parent);
      using scratch = scratchDir();
      for (const one of mounts) mount(one, scratch.path);
      try {
        make(scratch.path, Object.fromEntries(part));
      } finally {
        unmount(scratch.path);
      }
      await snapshots.commit(key, `image-${index}`);
    }
    return new Lab(stack.move(), { source: from, storage });
  }

  /** Copies, each request after the other into the same snapshot, and gives what is seen then. */
  async copy<T = Tree>(
    requests: readonly (Partial<CopyRequest> & Pick<CopyRequest, 'paths' | 'destination'>)[],
    look: (root: string) => T = ((root: string) => shown(root)) as (root: string) => T,
  ): Promise<T> {
    const { snapshots } = this.storage;
    this.#count += 1;
    const key = `build-${this.#count}`;
    const mounts = await snapshots.prepare(key, 'image-1');
    for (const request of requests) {
      const source = { root: this.source, isShared: false };
      await copyInto({ target: snapshots.layerTarget(key), source, ...request });
    }
    using scratch = scratchDir();
    for (const one of mounts) mount(one, scratch.path);
    try {
      return look(scratch.path);
    } finally {
      unmount(scratch.path);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
