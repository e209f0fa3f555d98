import type { Duplex } from 'node:stream';
import { writeAll } from '../../streams.ts';
import { agentMessage, type SshAgent } from './agent.ts';
import { agentMessages } from './agent-messages.ts';
import { SshReader, sshString } from './wire.ts';

/**
 * Answers a step's messages to the agent until the step or the agent hangs up. A step may see the keys and have data signed;
 * it may not add keys, remove them or lock the agent.
 */
export async function serveAgent(step: Duplex, agent: SshAgent): Promise<void> {
  using connection = agent.open();
  try {
    for await (const message of agentMessages(step)) {
      const answer = isAllowed(message) ? await connection.answer(message) : Buffer.of(agentMessage.failure);
      await writeAll(step, sshString(answer));
    }
  } finally {
    step.destroy();
  }
}

function isAllowed(message: Buffer): boolean {
  const [kind] = message;
  if (kind === agentMessage.requestIdentities || kind === agentMessage.signRequest) return true;
  // Tells the agent where the client is connected to, for keys that are restricted to some hosts.
  return kind === agentMessage.extension && extensionName(message) === 'session-bind@openssh.com';
}

function extensionName(message: Buffer): string | undefined {
  try {
    return new SshReader(message.subarray(1)).text();
  } catch {
    return undefined;
  }
}
