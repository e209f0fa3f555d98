import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { mount } from '#/kernel/mount.ts';
import { dropMountPoint } from '#/kernel/mount-point.ts';

/** /dev/shm of containers whose IPC others may join: a tmpfs each, mounted on the host's side. */
export class SharedMemory {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  pathOf(id: string): string {
    return join(this.#root, id, 'shm');
  }

  /** Mounts one of `size` bytes and says where. */
  make(id: string, size: number): string {
    const path = this.pathOf(id);
    mkdirSync(path, { recursive: true });
    mount(
      { type: 'tmpfs', source: 'shm', options: ['nosuid', 'nodev', 'noexec', 'mode=1777', `size=${size}`] },
      path,
    );
    return path;
  }

  /** Unmounts it, if there is one. */
  remove(id: string): void {
    const folder = join(this.#root, id);
    if (!existsSync(folder)) return;
    dropMountPoint(this.pathOf(id));
    rmdirSync(folder);
  }
}
