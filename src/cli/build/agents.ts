import { statSync } from 'node:fs';
import type { Context } from '../command.ts';
import { goMessage } from '../system-errors.ts';

/** Sockets of SSH agents by the id that steps ask for. */
export type Agents = ReadonlyMap<string, string>;

/**
 * The agents of `--ssh default` and `--ssh id=socket`; without a path the one that SSH_AUTH_SOCK names. Keys in files are
 * not implemented. Throws an Error.
 */
export function parseAgents(texts: readonly string[], env: Context['env']): Agents {
  return new Map(
    texts.map((text): [string, string] => {
      const at = text.indexOf('=');
      const id = (at < 0 ? text : text.slice(0, at)) || 'default';
      const path = (at < 0 ? '' : text.slice(at + 1)) || (env['SSH_AUTH_SOCK'] ?? '');
      if (path === '') {
        throw new Error('invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set');
      }
      checkSocket(path);
      return [id, path];
    }),
  );
}

function checkSocket(path: string): void {
  let isSocket: boolean;
  try {
    isSocket = statSync(path).isSocket();
  } catch (error) {
    throw new Error(`failed to parse ssh agent socket: ${goMessage(error)}`, { cause: error });
  }
  if (isSocket) return;
  throw new Error(
    `--ssh with a key (${JSON.stringify(path)}) is not implemented: add it to an agent with ssh-add, and give the agent's socket`,
  );
}
