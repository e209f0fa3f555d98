import { agentMessage, type SshAgent } from './agent.ts';
import type { SigningKey } from './signing-key.ts';
import { SshReader, sshString, sshUint32 } from './wire.ts';

/** A key that an agent offers. */
export interface AgentKey {
  readonly key: SigningKey;
  readonly comment: string;
}

/** An agent in memory that lists keys and signs with them, and refuses everything else. */
export function keyAgent(keys: readonly AgentKey[]): SshAgent {
  const connection = {
    answer: async (message: Buffer): Promise<Buffer> => reply(keys, message),
    [Symbol.dispose]: () => {},
  };
  return { open: () => connection };
}

function reply(keys: readonly AgentKey[], message: Buffer): Buffer {
  const [kind] = message;
  if (kind === agentMessage.requestIdentities) return identities(keys);
  const signed = kind === agentMessage.signRequest ? signature(keys, message.subarray(1)) : undefined;
  if (signed === undefined) return Buffer.of(agentMessage.failure);
  return Buffer.concat([Buffer.of(agentMessage.signResponse), sshString(signed)]);
}

function identities(keys: readonly AgentKey[]): Buffer {
  const entries = keys.flatMap(({ key, comment }) => [sshString(key.blob), sshString(comment)]);
  return Buffer.concat([Buffer.of(agentMessage.identitiesAnswer), sshUint32(keys.length), ...entries]);
}

/** Undefined for a request that is malformed or names a key that is not there. */
function signature(keys: readonly AgentKey[], request: Buffer): Buffer | undefined {
  try {
    const reader = new SshReader(request);
    const blob = reader.string();
    const data = reader.string();
    const flags = reader.uint32();
    return keys.find(({ key }) => key.blob.equals(blob))?.key.sign(data, flags);
  } catch {
    return undefined;
  }
}
