import type { Client } from '#/client/client.ts';
import { killContainer } from '#/client/containers.ts';
import type { Context } from '../command.ts';

/** Signals that people and programs send to a command, and that a process may handle. */
const forwarded = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGTERM',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGCONT',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
  'SIGWINCH',
  'SIGIO',
  'SIGPWR',
  'SIGVTALRM',
  'SIGXCPU',
  'SIGXFSZ',
] as const satisfies readonly NodeJS.Signals[];

/** So many SIGINT or SIGTERM end the command even if the container does not care. */
const patience = 3;

/** Sends the signals that we get to a container instead, until it is disposed. */
export function forwardSignals(
  { client, stderr }: { client: Client; stderr: Context['stderr'] },
  id: string,
): Disposable {
  let requests = 0;
  const forward = (signal: NodeJS.Signals): void => {
    if (signal === 'SIGINT' || signal === 'SIGTERM') requests += 1;
    if (requests >= patience) {
      stderr.write('\ngot 3 SIGTERM/SIGINTs, forcefully exiting\n');
      process.exit(1);
    }
    // A container that has ended just now cannot be told any more.
    killContainer(client, id, signal.slice('SIG'.length)).catch(() => undefined);
  };
  for (const signal of forwarded) process.on(signal, forward);
  return {
    [Symbol.dispose]() {
      for (const signal of forwarded) process.off(signal, forward);
    },
  };
}
