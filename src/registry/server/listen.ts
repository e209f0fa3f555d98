import { once } from 'node:events';
import type { Server } from 'node:net';
import { conflict, isSystemError } from '#/base/errors.ts';
import type { ListenAddress } from './config/address.ts';

/** Makes `server` listen. Throws a conflict that names the address if that cannot be. */
export async function listenOn(server: Server, address: ListenAddress): Promise<void> {
  const { host, port } = address;
  server.listen(host === undefined ? { port } : { host, port });
  try {
    await once(server, 'listening');
  } catch (error) {
    const where = `${host ?? ''}:${port}`;
    if (isSystemError(error, 'EADDRINUSE'))
      throw conflict(`cannot listen on ${where}: the address is in use`, error);
    if (isSystemError(error, 'EADDRNOTAVAIL')) {
      throw conflict(`cannot listen on ${where}: it is no address of this machine`, error);
    }
    if (isSystemError(error, 'EACCES')) {
      throw conflict(
        `cannot listen on ${where}: ports below 1024 need more rights; choose another port`,
        error,
      );
    }
    throw error;
  }
}
