import { connect } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { openBuildStream, type SessionPart } from '#/client/build.ts';
import type { Client } from '#/client/client.ts';

/**
 * Offers the daemon connections to an SSH agent, as long as the build goes on: one waits; when it has something to say,
 * it is joined with the agent's socket and another one waits.
 */
export async function offerAgent(
  client: Client,
  part: SessionPart,
  { socket: path, signal }: { socket: string; signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    const { socket, early } = await openBuildStream(client, part, { signal });
    const stop = (): unknown => socket.destroy();
    signal.addEventListener('abort', stop, { once: true });
    try {
      const first = early.length > 0 ? early : await firstChunk(socket);
      if (first === undefined) return;
      socket.unshift(first);
    } finally {
      signal.removeEventListener('abort', stop);
    }
    const agent = connect(path);
    // Whichever side ends first, the step hears of it: the agent has no other way to fail.
    void Promise.allSettled([pipeline(socket, agent), pipeline(agent, socket)]);
  }
}

function firstChunk(socket: NodeJS.ReadableStream): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const end = (): void => resolve(undefined);
    socket.once('close', end).once('error', end);
    socket.once('readable', () => {
      const chunk = socket.read();
      resolve(chunk === null ? undefined : Buffer.from(chunk));
    });
  });
}
