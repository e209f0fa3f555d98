import { invalid } from '#/base/errors.ts';
import { closeOnExec } from '#/kernel/files.ts';

/** sd_listen_fds(3): the first descriptor that is handed over. */
const firstFd = 3;

/** A listening socket that systemd has opened. */
export interface ActivatedSocket {
  readonly fd: number;
  /** FileDescriptorName= of the socket unit. */
  readonly name: string;
}

/**
 * The sockets that were handed over to this process, from the variables LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, which
 * it removes, so that no child believes them. None if they are meant for another process.
 */
export function activatedSockets(env: NodeJS.ProcessEnv): ActivatedSocket[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count = '', LISTEN_FDNAMES: names = '' } = env;
  delete env['LISTEN_PID'];
  delete env['LISTEN_FDS'];
  delete env['LISTEN_FDNAMES'];
  if (pid !== String(process.pid) || !/^\d{1,4}$/.test(count)) return [];
  const known = names.split(':');
  return Array.from({ length: Number(count) }, (_, index) => {
    const fd = firstFd + index;
    closeOnExec(fd);
    return { fd, name: known[index] ?? '' };
  });
}

/** Those that `fd://NAME` means: all for nothing or `*`, else by name or number. Throws `invalid` if there is none. */
export function selectSockets(sockets: readonly ActivatedSocket[], name: string): readonly ActivatedSocket[] {
  const chosen =
    name === '' || name === '*'
      ? sockets
      : sockets.filter((socket) => socket.name === name || String(socket.fd) === name);
  if (chosen.length === 0) {
    throw invalid(
      sockets.length === 0
        ? 'no sockets found via socket activation: make sure the daemon was started by systemd'
        : `no socket called ${JSON.stringify(name)} was handed over by systemd`,
    );
  }
  return chosen;
}
