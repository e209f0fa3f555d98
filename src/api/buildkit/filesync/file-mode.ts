/** What kind of thing an entry of a tree is. */
export type EntryKind = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'device';

/** Bits of Go's FileMode, which BuildKit's messages use, above the nine permission bits. */
const goDirectory = 2 ** 31;
const goSymlink = 1 << 27;
const goDevice = 1 << 26;
const goFifo = 1 << 25;
const goSocket = 1 << 24;
const goSetuid = 1 << 23;
const goSetgid = 1 << 22;
const goSticky = 1 << 20;
/** What makes an entry something else than a plain file. */
const goTypes = goDirectory + (goSymlink | goDevice | goFifo | goSocket | (1 << 21) | (1 << 19));

/** Permission bits as chmod(2) has them, set-id and sticky bits included. */
export function unixPermissions(goMode: number): number {
  return (
    (goMode & 0o777) |
    (has(goMode, goSetuid) ? 0o4000 : 0) |
    (has(goMode, goSetgid) ? 0o2000 : 0) |
    (has(goMode, goSticky) ? 0o1000 : 0)
  );
}

/** The kind that a Go mode says; undefined for one that no file system has. */
export function kindOf(goMode: number): EntryKind | undefined {
  if (!has(goMode, goTypes)) return 'file';
  if (has(goMode, goDirectory)) return 'directory';
  if (has(goMode, goSymlink)) return 'symlink';
  if (has(goMode, goDevice)) return 'device';
  if (has(goMode, goFifo)) return 'fifo';
  return has(goMode, goSocket) ? 'socket' : undefined;
}

/** Go's mode for a kind and permission bits. */
export function goMode(kind: EntryKind, permissions: number): number {
  const types = {
    file: 0,
    directory: goDirectory,
    symlink: goSymlink,
    fifo: goFifo,
    socket: goSocket,
    device: goDevice,
  };
  return (
    types[kind] +
    (permissions & 0o777) +
    ((permissions & 0o4000) === 0 ? 0 : goSetuid) +
    ((permissions & 0o2000) === 0 ? 0 : goSetgid) +
    ((permissions & 0o1000) === 0 ? 0 : goSticky)
  );
}

/** Numbers, because the highest bit does not fit into what `&` gives. */
function has(mode: number, bits: number): boolean {
  return ((mode >>> 0) & bits) !== 0;
}
