import { once } from 'node:events';
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { isSystemError } from '#/base/errors.ts';
import { openBuildStream, type SessionPart } from '#/client/build.ts';
import type { Client } from '#/client/client.ts';
import { readTar } from '#/tar/tar-reader.ts';
import type { Output } from '../command.ts';
import { copyBytes } from '../streams.ts';
import { goMessage } from '../system-errors.ts';
import { writeWholeFile } from '../whole-file.ts';
import { makeFolder } from './make-folder.ts';
import type { ClientSink } from './outputs.ts';
import { unpackInto } from './unpack.ts';
import { unpackLayout } from './unpack-layout.ts';

/** Takes an output of the build. What fails here fails the build: the daemon sees the connection end. */
export async function takeOutput(
  client: Client,
  part: SessionPart,
  { sink, stdout, signal }: { sink: ClientSink; stdout: Output; signal: AbortSignal },
): Promise<void> {
  const { socket, early } = await openBuildStream(client, part, { signal });
  if (early.length > 0) socket.unshift(early);
  const stop = (): unknown => socket.destroy(new Error('the build has ended'));
  signal.addEventListener('abort', stop, { once: true });
  try {
    // A result comes with its first byte; a build that fails sends none.
    await once(socket, 'readable');
    if (socket.readableLength === 0) return;
    await write(socket, sink, stdout);
  } catch (error) {
    // A connection that breaks off says more in its own words.
    const isOfFile = isSystemError(error) && !isSystemError(error, 'ECONNRESET', 'EPIPE');
    throw isOfFile && !signal.aborted ? unwritable(sink, error) : error;
  } finally {
    signal.removeEventListener('abort', stop);
    socket.destroy();
  }
}

/**
 * Finds out before the build begins whether a result can go where it is to go. Throws an Error in docker's words, or one that
 * tells what stands in the way.
 */
export function checkSink(sink: ClientSink): void {
  if (sink.kind === 'stdout') return;
  const { path } = sink;
  try {
    const there = statSync(path, { throwIfNoEntry: false });
    if (sink.kind === 'file' && there?.isDirectory() === true) {
      throw new Error(`destination file ${path} is a directory`);
    }
    if (sink.kind !== 'file' && there?.isDirectory() === false) {
      throw new Error(`destination directory ${path} is a file`);
    }
    accessSync(nearest(path), constants.W_OK);
  } catch (error) {
    throw isSystemError(error) ? unwritable(sink, error) : error;
  }
}

/** The path, or the one above it that is there. */
function nearest(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearest(dirname(path));
}

function unwritable(sink: ClientSink, error: unknown): Error {
  const where = sink.kind === 'stdout' ? 'standard output' : JSON.stringify(sink.path);
  return new Error(`cannot write the result to ${where}: ${goMessage(error)}`, { cause: error });
}

async function write(socket: AsyncIterable<Uint8Array>, sink: ClientSink, stdout: Output): Promise<void> {
  switch (sink.kind) {
    case 'stdout':
      return copyBytes(socket, stdout.stream);
    case 'folder':
      makeFolder(sink.path);
      return unpackInto(sink.path, readTar(socket));
    case 'layout':
      makeFolder(sink.path);
      return unpackLayout(sink.path, readTar(socket));
    case 'file':
      makeFolder(dirname(sink.path));
      return writeWholeFile(sink.path, socket);
    default:
      return sink satisfies never;
  }
}
