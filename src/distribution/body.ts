import type { IncomingMessage } from 'node:http';
import { type EngineError, messageOf, tooLarge, unavailable } from '#/base/errors.ts';

const names = new WeakMap<IncomingMessage, string>();

/** Remembers which request was answered, for messages about the answer. */
export function nameAnswer(response: IncomingMessage, name: string): void {
  names.set(response, name);
}

/** The error that an answer is which ended too early. */
export function brokenOff(response: IncomingMessage, error: unknown): EngineError {
  return unavailable(`${nameOf(response)}: the answer broke off: ${messageOf(error)}`, error);
}

/** What was asked for, such as `Get "https://reg.example/v2/"`. */
export function nameOf(response: IncomingMessage): string {
  return names.get(response) ?? 'a request';
}

/** The whole of a small answer. Throws `tooLarge` above `maxBytes`, and `unavailable` if it breaks off. */
export async function readBody(
  response: IncomingMessage,
  { maxBytes }: { maxBytes: number },
): Promise<Buffer> {
  const { bytes, error } = await readUpTo(response, maxBytes);
  if (error !== undefined) throw brokenOff(response, error);
  if (bytes.length > maxBytes) {
    throw tooLarge(`${nameOf(response)}: the answer has more than ${maxBytes} bytes`);
  }
  return bytes;
}

/** The beginning of an answer of which any part will do. What follows is not waited for: the connection goes. */
export async function readStart(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return (await readUpTo(response, maxBytes)).bytes.subarray(0, maxBytes);
}

/** Lets an answer end whose body is of no interest, so that its connection can be used again; bounded. */
export async function drain(response: IncomingMessage): Promise<void> {
  await readStart(response, 64 * 1024);
}

/** What comes until there is more than `maxBytes`, and why it broke off, if it did. */
async function readUpTo(
  response: IncomingMessage,
  maxBytes: number,
): Promise<{ bytes: Buffer; error?: unknown }> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response) {
      size += (chunk as Buffer).length;
      chunks.push(chunk as Buffer);
      if (size > maxBytes) break;
    }
  } catch (error) {
    return { bytes: Buffer.concat(chunks), error };
  }
  return { bytes: Buffer.concat(chunks) };
}
