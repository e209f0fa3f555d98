import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openBuildStream, type SessionPart } from '#/client/build.ts';
import type { Client } from '#/client/client.ts';
import type { Output } from '../command.ts';
import { copyBytes } from '../streams.ts';
import type { ClientSink } from './outputs.ts';
import { unpackInto } from './unpack.ts';

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
  } finally {
    signal.removeEventListener('abort', stop);
    socket.destroy();
  }
}

async function write(socket: AsyncIterable<Uint8Array>, sink: ClientSink, stdout: Output): Promise<void> {
  switch (sink.kind) {
    case 'stdout':
      return copyBytes(socket, stdout.stream);
    case 'folder':
      await mkdir(sink.path, { recursive: true });
      return unpackInto(sink.path, socket);
    case 'file':
      return writeFile(sink.path, socket);
    default:
      return sink satisfies never;
  }
}

/** Writes a file that is there when it is complete, and not before. */
async function writeFile(path: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.${process.pid}.partial`;
  try {
    await pipeline(bytes, createWriteStream(partial, { flags: 'wx' }));
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
}
