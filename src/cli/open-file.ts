import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { goMessage } from './system-errors.ts';

/** A file to send; a missing one is told of before anything is sent. */
export async function openFile(path: string): Promise<Readable> {
  try {
    const file = await open(path);
    await file.close();
  } catch (error) {
    throw new Error(goMessage(error), { cause: error });
  }
  return createReadStream(path);
}
