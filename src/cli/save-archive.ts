import { createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Output } from './command.ts';
import { copyBytes } from './streams.ts';
import { goMessage } from './system-errors.ts';

/** Where an archive goes. */
export interface ArchiveTarget {
  readonly stdout: Output;
  /** A file; empty: standard output. */
  readonly output: string;
  /** For messages: `image`. */
  readonly what: string;
}

/** Brings an archive from the daemon to a file or to standard output, but never to a terminal. */
export async function saveArchive(
  { stdout, output, what }: ArchiveTarget,
  open: () => Promise<Readable>,
): Promise<void> {
  if (output === '') {
    if (stdout.isTTY) throw new Error('cowardly refusing to save to a terminal. Use the -o flag or redirect');
    await copyBytes(await open(), stdout.stream);
    return;
  }
  await checkOutput(output, what);
  const body = await open();
  // The name appears when the archive is complete.
  const draft = `${output}.part-${process.pid}`;
  try {
    await pipeline(body, createWriteStream(draft, { mode: 0o600, flags: 'wx' }));
    await rename(draft, output);
  } catch (error) {
    await rm(draft, { force: true });
    throw new Error(`failed to save ${what}: ${goMessage(error)}`, { cause: error });
  }
}

/** Before the daemon starts to pack. */
async function checkOutput(path: string, what: string): Promise<void> {
  try {
    await stat(dirname(path));
  } catch (error) {
    throw new Error(`failed to save ${what}: invalid output path: ${goMessage(error)}`, { cause: error });
  }
}
