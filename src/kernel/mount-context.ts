/** Mounting step by step (fsopen, fsconfig, fsmount, move_mount): no limit on the length of all options together. */
import { constants as os } from 'node:os';
import { AT_FDCWD, close, O_PATH, openat2 } from './at.ts';
import { check, systemError } from './errno.ts';
import { cstring, errno, libc, syscalls } from './libc.ts';
import type { Mount } from './mount.ts';
import { type MountOptions, MS_RDONLY } from './mount-options.ts';

const SET_FLAG = 0;
const SET_STRING = 1;
const SET_FD = 5;
const CMD_CREATE = 6;
const CLOEXEC = 1;
const MOVE_MOUNT_F_EMPTY_PATH = 4;

/** fsconfig(2) takes strings of at most 255 bytes. */
const valueLimit = 255;

/** Layer options of overlayfs that name directories. */
const directories: ReadonlySet<string> = new Set(['lowerdir+', 'datadir+', 'upperdir', 'workdir']);

/**
 * Mounts a file system whose options do not fit a page. Linux from 6.8 takes overlay's lower directories one by one;
 * before that they go through mount(2) under short names (/proc/self/fd/N), about 200 of them.
 */
export function mountNewApi(m: Mount, target: string, options: MountOptions): void {
  if (m.type === 'overlay' && !overlayTakesLayersOneByOne()) {
    mountShortened(m, target, options);
    return;
  }
  const pairs = options.data.map(keyAndValue);
  using context = new MountContext(m.type);
  context.set('source', m.source);
  for (const [key, value] of pairs) {
    if (m.type === 'overlay' && key === 'lowerdir') {
      for (const layer of splitLayers(value ?? '')) context.set('lowerdir+', layer);
    } else {
      context.set(key, value);
    }
  }
  if (options.flags & MS_RDONLY) context.set('ro', undefined);
  context.attach(target, options.set);
}

/**
 * Mounts an overlay through mount(2) with its directories open and named /proc/self/fd/N: the way of kernels before 6.8.
 * E2BIG when that is still too long.
 */
export function mountShortened(m: Mount, target: string, options: MountOptions): void {
  const open: number[] = [];
  const shorten = (path: string): string => {
    const fd = openat2(AT_FDCWD, path, { flags: O_PATH });
    open.push(fd);
    return `/proc/self/fd/${fd}`;
  };
  try {
    const words = options.data.map((word) => {
      const [key, value] = keyAndValue(word);
      if (value === undefined) return word;
      if (key === 'lowerdir') return `${key}=${splitLayers(value).map(shorten).join(':')}`;
      return directories.has(key) ? `${key}=${shorten(value)}` : word;
    });
    const data = words.join(',');
    if (data.length > 4095) {
      const error = systemError('mount', os.errno.E2BIG, target);
      error.message += ` (${open.length} directories: overlayfs takes about 200 before Linux 6.8)`;
      throw error;
    }
    const [source, where, type] = [cstring(m.source), cstring(target), cstring(m.type)];
    check(libc.mount(source, where, type, options.flags, cstring(data)), 'mount', target);
  } finally {
    for (const fd of open) close(fd);
  }
}

function overlayTakesLayersOneByOne(): boolean {
  const probe = check(syscalls.fsopen(cstring('overlay'), CLOEXEC), 'fsopen', 'overlay');
  const takes = (key: string): boolean =>
    syscalls.fsconfig(probe, SET_STRING, cstring(key), cstring('/'), 0) >= 0;
  try {
    // Before 6.5 the kernel only collects the words, whatever they are, in one page for the old interface.
    return takes('lowerdir+') && !takes('no-option-of-overlay');
  } finally {
    close(probe);
  }
}

function keyAndValue(option: string): [key: string, value: string | undefined] {
  const equals = option.indexOf('=');
  return equals < 0 ? [option, undefined] : [option.slice(0, equals), option.slice(equals + 1)];
}

/** The directories of a "lowerdir=" value; in it a backslash protects a colon and another backslash. */
function splitLayers(value: string): string[] {
  const layers = [''];
  for (const [token] of value.matchAll(/\\[\s\S]|[^\\]/g)) {
    if (token === ':') layers.push('');
    else layers[layers.length - 1] += token.length === 2 && token.startsWith('\\') ? token.slice(1) : token;
  }
  return layers;
}

/** A file system that is being configured. What goes wrong is told in the kernel's own words. */
class MountContext implements Disposable {
  readonly #fd: number;
  readonly #open: number[] = [];

  constructor(type: string) {
    this.#fd = check(syscalls.fsopen(cstring(type), CLOEXEC), 'fsopen', type);
  }

  /** Sets one option; a directory of overlayfs may be longer than what fsconfig takes as text. */
  set(key: string, value: string | undefined): void {
    if (value === undefined) {
      this.#check(syscalls.fsconfig(this.#fd, SET_FLAG, cstring(key), null, 0), key);
    } else if (directories.has(key) && Buffer.byteLength(value) > valueLimit) {
      this.#setDirectory(key, value);
    } else {
      this.#check(
        syscalls.fsconfig(this.#fd, SET_STRING, cstring(key), cstring(value), 0),
        `${key}=${value}`,
      );
    }
  }

  /** Makes the file system and mounts it. */
  attach(target: string, attributes: number): void {
    this.#check(syscalls.fsconfig(this.#fd, CMD_CREATE, null, null, 0), target);
    const tree = this.#check(syscalls.fsmount(this.#fd, CLOEXEC, attributes), target);
    try {
      const [from, to] = [cstring(''), cstring(target)];
      check(syscalls.move_mount(tree, from, AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH), 'move_mount', target);
    } finally {
      close(tree);
    }
  }

  [Symbol.dispose](): void {
    for (const fd of this.#open) close(fd);
    close(this.#fd);
  }

  #setDirectory(key: string, path: string): void {
    const fd = openat2(AT_FDCWD, path, { flags: O_PATH });
    this.#open.push(fd);
    if (syscalls.fsconfig(this.#fd, SET_FD, cstring(key), null, fd) >= 0) return;
    // Before Linux 6.13 overlayfs takes layers as text only.
    const name = cstring(`/proc/self/fd/${fd}`);
    this.#check(syscalls.fsconfig(this.#fd, SET_STRING, cstring(key), name, 0), `${key}=${path}`);
  }

  #check(result: number, about: string): number {
    if (result >= 0) return result;
    const error = systemError('fsconfig', errno(), about);
    error.message += this.#complaints();
    throw error;
  }

  /** The messages that the kernel left in the context, for example " (overlay: too many lower directories)". */
  #complaints(): string {
    const lines: string[] = [];
    const buffer = Buffer.alloc(1024);
    while (lines.length < 16) {
      const length = libc.read(this.#fd, buffer, buffer.length);
      if (length <= 0) break;
      lines.push(
        buffer
          .toString('utf8', 0, length)
          .replace(/^[ewi] /, '')
          .trim(),
      );
    }
    return lines.length === 0 ? '' : ` (${lines.join('; ')})`;
  }
}
