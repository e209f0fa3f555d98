import { constants, fstatSync, readSync } from 'node:fs';
import { type ByteString, rawBytes } from '#/base/byte-string.ts';
import { EngineError, isSystemError } from '#/base/errors.ts';
import { close, openat2 } from '#/kernel/at.ts';
import { Directory } from '#/storage/tree/directory.ts';
import { Pacer } from '#/storage/tree/pacer.ts';
import { type TreeEntry, walkTree } from '#/storage/tree/walk-tree.ts';
import { readApkInstalled, readDpkgStatus, readPythonMetadata } from './control-file.ts';
import { elfHeaderBytes, isElf, readGoProgram } from './go-build-info.ts';
import { readPackageJson, readPackageLock } from './npm.ts';
import type { FoundPackage, InstalledPackage } from './package.ts';

/** What is installed in a file system. */
export interface Inventory {
  /** `ID` and `VERSION_ID` of its os-release; empty if there is none. */
  readonly distribution: string;
  readonly release: string;
  /** Sorted; the same package at the same place once. */
  readonly packages: readonly InstalledPackage[];
}

/** Kinds of files that say what is installed: by their path below the root. */
const readers: readonly {
  readonly path: RegExp;
  readonly maxBytes: number;
  readonly read: (bytes: Buffer) => FoundPackage[];
}[] = [
  {
    path: /^var\/lib\/dpkg\/status(?:\.d\/[^/]+)?$/,
    maxBytes: 128 << 20,
    read: (bytes) => readDpkgStatus(bytes.toString()),
  },
  {
    path: /^(?:usr\/)?lib\/apk\/db\/installed$/,
    maxBytes: 128 << 20,
    read: (bytes) => readApkInstalled(bytes.toString()),
  },
  {
    path: /(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/]+\/package\.json$/,
    maxBytes: 4 << 20,
    read: readPackageJson,
  },
  { path: /^(?!.*(?:^|\/)node_modules\/).*package-lock\.json$/, maxBytes: 64 << 20, read: readPackageLock },
  {
    path: /\.dist-info\/METADATA$|\.egg-info(?:\/PKG-INFO)?$/,
    maxBytes: 4 << 20,
    read: (bytes) => readPythonMetadata(bytes.toString()),
  },
];

/** More than any image has. */
const maxPackages = 200_000;
const maxReleaseBytes = 64 * 1024;

/**
 * Looks through the files of a result for what is installed. The files are a stranger's: no link is followed, what is too large
 * or malformed is passed over, and nothing of it is run. Shares the event loop.
 */
export async function scanRoot(root: string, { signal }: { signal: AbortSignal }): Promise<Inventory> {
  using top = Directory.open(root);
  const pacer = new Pacer();
  const packages = new Map<string, InstalledPackage>();
  let release: ReadonlyMap<string, string> = new Map();
  for (const entry of walkTree(top)) {
    signal.throwIfAborted();
    if (pacer.due) await pacer.turn();
    if ((entry.stat.mode & constants.S_IFMT) !== constants.S_IFREG) continue;
    if (/^(?:etc|usr\/lib)\/os-release$/.test(entry.path)) {
      release = readRelease(readWhole(entry, maxReleaseBytes)?.toString() ?? '');
    }
    for (const found of packagesIn(entry)) {
      const one = { ...found, location: entry.path };
      if (packages.size < maxPackages)
        packages.set(JSON.stringify([one.kind, one.name, one.version, one.location]), one);
    }
  }
  const sorted = [...packages].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
  return {
    distribution: release.get('ID') ?? '',
    release: release.get('VERSION_ID') ?? '',
    packages: sorted,
  };
}

function packagesIn(entry: TreeEntry): FoundPackage[] {
  try {
    const reader = readers.find(({ path }) => path.test(entry.path));
    if (reader !== undefined) {
      const bytes = readWhole(entry, reader.maxBytes);
      return bytes === undefined ? [] : reader.read(bytes);
    }
    return (entry.stat.mode & 0o111) !== 0 && entry.stat.size > elfHeaderBytes
      ? packagesOfProgram(entry)
      : [];
  } catch (error) {
    // Whatever it is, it is not a list of packages.
    if (error instanceof EngineError || error instanceof RangeError || isSystemError(error)) return [];
    throw error;
  }
}

function packagesOfProgram(entry: TreeEntry): FoundPackage[] {
  using file = opened(entry);
  const start = file.read(0, elfHeaderBytes);
  return isElf(start) ? readGoProgram(start, (offset, length) => file.read(offset, length)) : [];
}

/** Undefined: it is larger. */
function readWhole(entry: TreeEntry, maxBytes: number): Buffer | undefined {
  using file = opened(entry);
  return file.size > maxBytes ? undefined : file.read(0, file.size);
}

interface OpenFile extends Disposable {
  readonly size: number;
  read(offset: number, length: number): Buffer;
}

function opened({ parent, name }: TreeEntry): OpenFile {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const fd = openat2(parent.fd, rawBytes(name), { flags });
  const { size } = fstatSync(fd);
  return {
    size,
    read: (offset, length) => {
      if (!Number.isSafeInteger(offset) || offset >= size) return Buffer.alloc(0);
      const bytes = Buffer.alloc(Math.min(length, size - offset));
      let done = 0;
      while (done < bytes.length) {
        const got = readSync(fd, bytes, done, bytes.length - done, offset + done);
        if (got === 0) break;
        done += got;
      }
      return bytes.subarray(0, done);
    },
    [Symbol.dispose]: () => close(fd),
  };
}

/** os-release(5). */
function readRelease(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, name, value] = /^([A-Z_]+)=["']?([A-Za-z0-9._-]{1,64})["']?\s*$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) fields.set(name, value);
  }
  return fields;
}

/** For messages and documents: names that are no text show as bytes. */
export function shownPath(path: ByteString): string {
  return rawBytes(path).toString();
}
