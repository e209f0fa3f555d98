import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { SshAgent, SshAgentConnection } from './agent.ts';
import { agentMessages } from './agent-messages.ts';
import { sshString } from './wire.ts';

/** The agent behind a socket. */
export function socketAgent(path: string): SshAgent {
  return { open: () => new SocketConnection(connect(path)) };
}

/** Finds out whether somebody listens on the socket of an agent. Rejects with the error of the system. */
export async function checkAgent(path: string): Promise<void> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
  } finally {
    socket.destroy();
  }
}

class SocketConnection implements SshAgentConnection {
  readonly #socket: Socket;
  readonly #answers: AsyncIterator<Buffer>;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#answers = agentMessages(socket)[Symbol.asyncIterator]();
    // Shows itself as the end of the answers, too; without a listener it would end the process.
    socket.on('error', () => undefined);
  }

  async answer(message: Buffer): Promise<Buffer> {
    this.#socket.write(sshString(message));
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error('the SSH agent hung up');
    return value;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
