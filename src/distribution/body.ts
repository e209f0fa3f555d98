import type { IncomingMessage } from 'node:http';
import { messageOf, tooLarge, unavailable } from '#/base/errors.ts';

/** The whole of a small answer. Throws `tooLarge` above `maxBytes`, unless the rest may be left out, and `unavailable`. */
export async function readBody(
  response: IncomingMessage,
  { maxBytes, truncate = false }: { maxBytes: number; truncate?: boolean },
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response) {
      size += (chunk as Buffer).length;
      chunks.push(chunk as Buffer);
      if (size > maxBytes) break;
    }
  } catch (error) {
    throw unavailable(`the registry's answer broke off: ${messageOf(error)}`, error);
  }
  if (size > maxBytes && !truncate) throw tooLarge(`the registry's answer has more than ${maxBytes} bytes`);
  return Buffer.concat(chunks).subarray(0, maxBytes);
}

/** Lets an answer end whose body is of no interest, so that its connection can be used again; bounded. */
export async function drain(response: IncomingMessage): Promise<void> {
  await readBody(response, { maxBytes: 64 * 1024, truncate: true });
}
