import { once } from 'node:events';
import type { Server } from 'node:http';
import { conflict, isSystemError } from '#/base/errors.ts';

/** Waits until `server` listens. Throws a conflict if the address is taken. */
export async function listening(server: Server, address: string = 'the socket'): Promise<void> {
  try {
    await once(server, 'listening');
  } catch (error) {
    if (isSystemError(error, 'EADDRINUSE')) {
      throw conflict(`cannot listen on ${address}: the address is already in use`, error);
    }
    if (isSystemError(error, 'EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN')) {
      throw conflict(`cannot listen on ${address}: it is no address of this machine`, error);
    }
    throw error;
  }
}
