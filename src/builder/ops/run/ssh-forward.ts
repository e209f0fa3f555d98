import { chmodSync, chownSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import type { SshSource } from '../../request.ts';
import type { Access } from './definition.ts';

/** Makes a socket at `path` whose connections lead to an agent of the client's. Dispose of it to end all of them. */
export async function forwardSsh(
  path: string,
  { ssh, id, access }: { ssh: SshSource; id: string; access: Access },
): Promise<AsyncDisposable> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    const agent = ssh.connect(id);
    // Either end may break off at any time; the other one is ended with it.
    const ended = (): void => {};
    pipeline(socket, agent, ended);
    pipeline(agent, socket, ended);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  chownSync(path, access.uid, access.gid);
  chmodSync(path, access.mode);
  return {
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
