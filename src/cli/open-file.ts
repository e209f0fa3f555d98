import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';

/** A file to send; a missing one is told of before anything is sent. */
export async function openFile(path: string): Promise<Readable> {
  try {
    const file = await open(path);
    await file.close();
  } catch (error) {
    throw new Error(`open ${path}: ${reason(error)}`, { cause: error });
  }
  return createReadStream(path);
}

function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return /^E[A-Z]+: ([^,]*)/.exec(message)?.[1] ?? message;
}
