import {
  chmodSync,
  chownSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
} from 'node:fs';
import type { Server } from 'node:http';
import { createConnection } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { conflict, isSystemError } from '#/base/errors.ts';
import { flock } from '#/kernel/files.ts';
import { listening } from './listening.ts';

const lockAttempts = 200;
/** Milliseconds. */
const lockPause = 25;

/**
 * Makes `server` listen on a Unix socket that only root and `gid` can use. A socket that a dead daemon left behind is
 * replaced; one that somebody answers on is a conflict. The directory is locked meanwhile, so that of two daemons that
 * start at once the second one meets the first one's socket, alive.
 */
export async function listenOnPath(server: Server, path: string, gid: number): Promise<void> {
  const dir = dirname(path);
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  using _lock = await lockDirectory(dir);
  await removeStale(path);
  // bind(2) happens before listen returns; nobody may connect between it and chown.
  const umask = process.umask(0o177);
  try {
    server.listen(path);
  } finally {
    process.umask(umask);
  }
  await listening(server);
  chownSync(path, 0, gid);
  chmodSync(path, 0o660);
}

/** The number of a group in /etc/group. */
export function groupId(name: string): number | undefined {
  if (/^\d+$/.test(name)) return Number(name);
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find((candidate) => candidate.startsWith(`${name}:`));
  const gid = line?.split(':')[2];
  return gid === undefined ? undefined : Number(gid);
}

async function removeStale(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket()) throw conflict(`cannot listen on ${path}: something that is not a socket is there`);
  if (await isAnswered(path)) throw conflict(`cannot listen on ${path}: another process already does`);
  unlinkSync(path);
}

function isAnswered(path: string): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const probe = createConnection(path);
  probe.on('connect', () => {
    probe.destroy();
    resolve(true);
  });
  probe.on('error', (error) => {
    if (isSystemError(error, 'ECONNREFUSED', 'ENOENT')) resolve(false);
    else if (isSystemError(error, 'EAGAIN')) resolve(true);
    else reject(error);
  });
  return promise;
}

/** Others hold it only for as long as `listenOnPath` takes. */
async function lockDirectory(dir: string): Promise<Disposable> {
  const fd = openSync(dir, 'r');
  try {
    for (let attempt = 1; !flock(fd, { exclusive: true, wait: false }); attempt += 1) {
      if (attempt === lockAttempts)
        throw conflict(`cannot listen in ${dir}: its lock is held by another process`);
      await delay(lockPause);
    }
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { [Symbol.dispose]: () => closeSync(fd) };
}
