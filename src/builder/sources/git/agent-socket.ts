import { createServer, type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import type { SshSource } from '../../request.ts';

/**
 * A socket at `path` behind which the client's agent `id` answers. Whoever can reach the path can have things signed with the
 * client's keys: put it into a folder that nobody else may enter. Disposing of it ends the connections.
 */
export async function agentSocket(path: string, ssh: SshSource, id: string): Promise<Disposable> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const agent = ssh.connect(id);
    // Either side may leave at any time; nobody is told more than the end.
    pipeline(socket, agent, socket, () => agent.destroy());
  });
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(path, resolve);
  await listening;
  return {
    [Symbol.dispose]: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
