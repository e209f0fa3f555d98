import { closeSync, constants, openSync, readSync } from 'node:fs';
import type { ContextEntry } from '#/wire/build.ts';
import { goMessage } from '../system-errors.ts';
import type { CapabilityReader } from './capabilities.ts';
import { type ContextFile, unreadableHint } from './walk.ts';

/** Bytes that are handed on at once. */
const batchSize = 256 * 1024;
const lengthSize = 4;

/**
 * The line of JSON that lists a file for the daemon. Files of local contexts belong to root, whoever has them here. Only of programs
 * it is asked whether they have capabilities.
 */
export function listLine(
  { path, absolute, stats, link }: ContextFile,
  capabilitiesOf: CapabilityReader = () => undefined,
): string {
  const isProgram = stats.isFile() && (stats.mode & 0o111n) !== 0n;
  const capabilities = isProgram ? capabilitiesOf(absolute) : undefined;
  const entry: ContextEntry = {
    p: path,
    m: Number(stats.mode),
    ...(stats.isFile() && { s: Number(stats.size) }),
    t: String(stats.mtimeNs),
    ...(link !== '' && { l: link }),
    ...(capabilities !== undefined && { c: Buffer.from(capabilities).toString('base64') }),
  };
  return `${JSON.stringify(entry)}\n`;
}

/**
 * The contents of files one after the other, each as pieces with their length in front (32 bits, big-endian), ended by a
 * length of 0. Throws an Error for a file that cannot be read. The chunks are new ones each time.
 */
export function* contentsOf(
  files: Iterable<ContextFile>,
  onSent: (bytes: number) => void,
): Generator<Buffer, void, undefined> {
  let batch = Buffer.allocUnsafe(batchSize);
  let filled = 0;
  for (const { absolute } of files) {
    const file = open(absolute);
    try {
      for (;;) {
        if (filled + lengthSize >= batchSize - 2 * lengthSize) {
          yield batch.subarray(0, filled);
          batch = Buffer.allocUnsafe(batchSize);
          filled = 0;
        }
        const room = batchSize - filled - 2 * lengthSize;
        const length = readSync(file, batch, filled + lengthSize, room, null);
        batch.writeUInt32BE(length, filled);
        filled += lengthSize + length;
        onSent(length);
        if (length === 0) break;
      }
    } catch (error) {
      throw unreadable(error, absolute);
    } finally {
      closeSync(file);
    }
  }
  if (filled > 0) yield batch.subarray(0, filled);
}

function open(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw unreadable(error, path);
  }
}

function unreadable(error: unknown, path: string): Error {
  const reason = `${goMessage(error)}${unreadableHint(error)}`;
  return new Error(`cannot send ${path} of the build context: ${reason}`, { cause: error });
}
