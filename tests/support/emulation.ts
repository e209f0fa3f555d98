import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isSystemError } from '#/base/errors.ts';
import { emulatedArchitectures } from '#/kernel/binfmt.ts';
import { mount, unmount } from '#/kernel/mount.ts';

/** Programs for arm64, and what runs them. */
export interface EmulationTools {
  readonly busybox: string;
  readonly emulator: string;
}

const root = '/proc/sys/fs/binfmt_misc';
/** ELF, 64 bits, little-endian, executable or shared, AArch64; and which of these bits count. */
const magic =
  '\\x7f\\x45\\x4c\\x46\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00';
const mask =
  '\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff';

/** What scripts/debian-emulation has fetched; undefined if it could not, or this machine runs arm64 by itself. */
export function emulationTools(): EmulationTools | undefined {
  const folder = join(import.meta.dirname, '../../dist/debian-emulation');
  const tools = { busybox: join(folder, 'busybox-arm64'), emulator: join(folder, 'qemu-aarch64-static') };
  const isHere = process.arch === 'x64' && Object.values(tools).every((path) => existsSync(path));
  return isHere ? tools : undefined;
}

/** Registers the emulator with the kernel, for the whole machine, unless there is one; then it is taken away again. */
export function registerEmulator({ emulator }: EmulationTools): Disposable {
  using stack = new DisposableStack();
  if (!existsSync(join(root, 'register'))) {
    mount({ type: 'binfmt_misc', source: 'binfmt_misc', options: [] }, root);
    stack.defer(() => unmount(root, { detach: true }));
  }
  if (!emulatedArchitectures().includes('arm64')) {
    const name = `skiff-test-${process.pid}`;
    writeFileSync(join(root, 'register'), `:${name}:M:0:${magic}:${mask}:${emulator}:F`);
    stack.defer(() => {
      try {
        writeFileSync(join(root, name), '-1');
      } catch (error) {
        if (!isSystemError(error, 'ENOENT')) throw error;
      }
    });
  }
  const owned = stack.move();
  return { [Symbol.dispose]: () => owned.dispose() };
}
