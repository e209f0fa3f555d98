import type { Duplex } from 'node:stream';
import { openBuildStream, type SessionPart } from '#/client/build.ts';
import type { Client } from '#/client/client.ts';
import type { SshAgent } from './ssh/agent.ts';
import { serveAgent } from './ssh/serve-agent.ts';

/**
 * Offers the daemon connections to an SSH agent, as long as the build goes on: one waits; when it has something to say,
 * the agent answers on it and another one waits.
 */
export async function offerAgent(
  client: Client,
  part: SessionPart,
  { agent, signal }: { agent: SshAgent; signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    const { socket, early } = await openBuildStream(client, part, { signal });
    const stop = (): unknown => socket.destroy();
    signal.addEventListener('abort', stop, { once: true });
    socket.once('close', () => signal.removeEventListener('abort', stop)).on('error', () => undefined);
    if (early.length > 0) socket.unshift(early);
    if (!(await hasMessage(socket))) return;
    // When the agent fails the step hears of it: its connection ends.
    serveAgent(socket, agent).catch(() => undefined);
  }
}

/** Waits for the first bytes; false if the connection ends before. */
function hasMessage(socket: Duplex): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (): void => resolve(false);
    socket.once('close', end).once('error', end);
    socket.once('readable', () => resolve(socket.readableLength > 0));
  });
}
