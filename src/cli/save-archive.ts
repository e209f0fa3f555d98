import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import type { Output } from './command.ts';
import { copyBytes } from './streams.ts';
import { goMessage } from './system-errors.ts';
import { irregularKind, writeWholeFile } from './whole-file.ts';

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
  checkOutput(output, what);
  const body = await open();
  try {
    await writeWholeFile(output, body, { mode: 0o600 });
  } catch (error) {
    throw new Error(`failed to save ${what}: ${goMessage(error)}`, { cause: error });
  }
}

/** Before the daemon starts to pack. Throws an Error in docker's words. */
function checkOutput(path: string, what: string): void {
  try {
    statSync(dirname(path));
  } catch (error) {
    throw new Error(`failed to save ${what}: invalid output path: ${goMessage(error)}`, { cause: error });
  }
  const kind = irregularKind(path);
  if (kind !== undefined) {
    throw new Error(`failed to save ${what}: cannot write to a ${kind}: ${JSON.stringify(path)}`);
  }
}
