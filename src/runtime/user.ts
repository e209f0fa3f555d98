import { constants, openSync, readSync } from 'node:fs';
import { invalid, isSystemError } from '#/base/errors.ts';
import {
  close,
  fstatat,
  O_CLOEXEC,
  O_PATH,
  openat2,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from '#/kernel/at.ts';
import type { UserInput } from './spec/input.ts';

/** A user resolved to numbers; see `UserInput`. */
export interface ResolvedUser extends UserInput {
  /** From /etc/passwd; undefined if it has no such user. */
  readonly username: string | undefined;
}

/** What `--user` and `--group-add` ask for. */
export interface UserRequest {
  /** "user", "user:group", either by name or number; empty is root. */
  readonly user: string;
  readonly groupAdd: readonly string[];
}

/** The databases come from the image: larger ones are refused (CVE-2026-47262). */
const maxDatabaseBytes = 4 << 20;
const maxGroups = 1024;
/** Docker's bounds of ids. */
const maxId = 0x7fffffff;

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/**
 * Resolves a user with the databases of the root file system `rootfs` (never the host's). Numbers are always ids: an
 * entry that is named by a number is never found by it (CVE-2026-46680). Throws `invalid` in Docker's words.
 */
export function resolveUser(rootfs: string, { user, groupAdd }: UserRequest): ResolvedUser {
  const [userText = '', groupText = '', ...rest] = user.split(':');
  if (rest.length > 0) throw invalid(`invalid user "${user}": more than one colon`);
  const passwd = parsePasswd(readDatabase(rootfs, 'etc/passwd'));
  const groups = parseGroup(readDatabase(rootfs, 'etc/group'));
  const entry = findUser(passwd, userText);
  const uid = entry?.uid ?? numericId(userText) ?? 0;
  const group = groupText === '' ? undefined : findGroup(groups, groupText);
  return {
    uid,
    gid: group ?? entry?.gid ?? 0,
    // With an explicit group only that one and the added ones count, as initgroups(3) was not asked for.
    groups: distinct([
      ...(groupText === '' && entry !== undefined ? groupsOf(groups, entry.name) : []),
      ...groupAdd.map((text) => findGroup(groups, text)),
    ]),
    home: entry?.home || '/',
    username: entry?.name,
  };
}

function findUser(passwd: readonly PasswdEntry[], text: string): PasswdEntry | undefined {
  if (text === '') return passwd.find(({ uid }) => uid === 0);
  const id = numericId(text);
  if (id !== undefined) return passwd.find(({ uid }) => uid === id);
  const entry = passwd.find(({ name }) => name === text);
  if (entry === undefined) throw invalid(`unable to find user ${text}: no matching entries in passwd file`);
  return entry;
}

function findGroup(groups: readonly GroupEntry[], text: string): number {
  const id = numericId(text);
  if (id !== undefined) return id;
  const entry = groups.find(({ name }) => name === text);
  if (entry === undefined) throw invalid(`unable to find group ${text}: no matching entries in group file`);
  return entry.gid;
}

function groupsOf(groups: readonly GroupEntry[], user: string): number[] {
  return groups.filter(({ members }) => members.includes(user)).map(({ gid }) => gid);
}

/** The id that `text` is, undefined if it is a name. Throws `invalid` out of range: -1 would mean "do not change". */
function numericId(text: string): number | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const id = Number(text);
  if (id < 0 || id > maxId) throw invalid(`uids and gids must be in range 0-${maxId}`);
  return id;
}

function distinct(ids: readonly number[]): readonly number[] {
  const all = [...new Set(ids)];
  if (all.length > maxGroups)
    throw invalid(`too many groups: ${all.length}, at most ${maxGroups} are possible`);
  return all;
}

function parsePasswd(text: string): PasswdEntry[] {
  return text.split('\n').flatMap((line): PasswdEntry[] => {
    const [name = '', , uid = '', gid = '', , home = ''] = line.split(':');
    if (name === '' || !isId(uid) || !isId(gid)) return [];
    return [{ name, uid: Number(uid), gid: Number(gid), home }];
  });
}

function parseGroup(text: string): GroupEntry[] {
  return text.split('\n').flatMap((line): GroupEntry[] => {
    const [name = '', , gid = '', members = ''] = line.split(':');
    if (name === '' || !isId(gid)) return [];
    return [{ name, gid: Number(gid), members: members.split(',') }];
  });
}

/** Entries with other numbers are not for us: they stay unknown rather than becoming root. */
function isId(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) <= maxId;
}

/** The text of a file in the image, without leaving its root; empty if there is none. */
function readDatabase(rootfs: string, path: string): string {
  const root = openSync(rootfs, O_PATH | O_CLOEXEC | constants.O_DIRECTORY);
  try {
    return readInRoot(root, path);
  } finally {
    close(root);
  }
}

function readInRoot(root: number, path: string): string {
  let fd: number;
  try {
    // NONBLOCK: a FIFO in the image's place of the file must not stop us.
    const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
    fd = openat2(root, path, { flags, resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS });
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'ENXIO')) return '';
    throw error;
  }
  try {
    const { mode, size } = fstatat(fd, '');
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) return '';
    if (size > maxDatabaseBytes)
      throw invalid(`/${path} of the image is larger than ${maxDatabaseBytes} bytes`);
    const buffer = Buffer.alloc(size);
    let length = 0;
    while (length < size) {
      const count = readSync(fd, buffer, length, size - length, length);
      if (count === 0) break;
      length += count;
    }
    return buffer.toString('utf8', 0, length);
  } finally {
    close(fd);
  }
}
