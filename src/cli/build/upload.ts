import { Readable } from 'node:stream';
import { type SessionPart, sendContext } from '#/client/build.ts';
import type { Client } from '#/client/client.ts';
import { contextArchive } from './context-archive.ts';
import type { LocalContext } from './local-context.ts';

/** Sends the files of a folder. */
export async function uploadFolder(
  client: Client,
  part: SessionPart,
  { context, signal }: { context: LocalContext; signal: AbortSignal },
): Promise<void> {
  const { archive } = contextArchive(context, { name: '', content: undefined });
  await uploadArchive(client, part, { bytes: archive, signal });
}

/** Hands an archive on. */
export async function uploadArchive(
  client: Client,
  part: SessionPart,
  { bytes, signal }: { bytes: AsyncIterable<Uint8Array>; signal: AbortSignal },
): Promise<void> {
  await sendContext(client, part, { body: Readable.from(bytes, { objectMode: false }), signal });
}
