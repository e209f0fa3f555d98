import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { conflict } from '#/base/errors.ts';
import { flock } from '#/kernel/files.ts';

/**
 * Makes the directories of the daemon and makes sure that no other one uses them: by locks on `<data-root>/lock`,
 * `<exec-root>/lock` and the pid file, which the kernel drops with the process however it ends. Throws a conflict that
 * names the other process.
 */
export function claim({ dataRoot, execRoot, pidfile }: ClaimedPaths): Disposable {
  using stack = new DisposableStack();
  mkdirSync(dataRoot, { recursive: true, mode: 0o700 });
  // Others go through it to reach the socket.
  mkdirSync(execRoot, { recursive: true, mode: 0o711 });
  stack.use(lockFile(join(dataRoot, 'lock'), (pid) => `another daemon${pid} uses the data in ${dataRoot}`));
  stack.use(lockFile(join(execRoot, 'lock'), (pid) => `another daemon${pid} uses the state in ${execRoot}`));
  mkdirSync(dirname(pidfile), { recursive: true, mode: 0o755 });
  stack.use(lockFile(pidfile, (pid) => `another daemon${pid} uses the pid file ${pidfile}`));
  stack.defer(() => rmSync(pidfile, { force: true }));
  return stack.move();
}

/** What one daemon has for itself. */
export interface ClaimedPaths {
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly pidfile: string;
}

/** Locks a file and writes our pid into it. The file stays, or two could lock different files of the same name. */
function lockFile(path: string, complaint: (pid: string) => string): Disposable {
  const fd = openSync(path, 'a+', 0o600);
  try {
    if (!flock(fd, { exclusive: true, wait: false })) {
      const pid = readFileSync(path, 'utf8').trim();
      throw conflict(complaint(/^\d+$/.test(pid) ? ` (process ${pid})` : ''));
    }
    ftruncateSync(fd);
    writeSync(fd, `${process.pid}\n`);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { [Symbol.dispose]: () => closeSync(fd) };
}
