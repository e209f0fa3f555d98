import { maxAgentMessage } from './agent.ts';

const lengthSize = 4;

/**
 * Takes the messages of an agent's connection apart; gives them without their length. Throws an Error for one that is too
 * long. What is incomplete at the end is dropped.
 */
export async function* agentMessages(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Buffer, void, undefined> {
  let pending: Uint8Array[] = [];
  let size = 0;
  // Put together only when it is enough: whoever sends single bytes costs no more than others.
  let needed = lengthSize;
  for await (const chunk of chunks) {
    pending.push(chunk);
    size += chunk.length;
    while (size >= needed) {
      const all = Buffer.concat(pending);
      const end = lengthSize + all.readUInt32BE();
      if (end - lengthSize > maxAgentMessage) {
        throw new Error(`a message of an SSH agent has ${end - lengthSize} bytes`);
      }
      const isComplete = size >= end;
      if (isComplete) yield all.subarray(lengthSize, end);
      const rest = isComplete ? all.subarray(end) : all;
      pending = [rest];
      size = rest.length;
      needed = isComplete ? lengthSize : end;
    }
  }
}
