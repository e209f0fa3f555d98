import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { hostname } from 'node:os';
import { Readable } from 'node:stream';
import { listContext, type SessionPart, sendContext } from '#/client/build.ts';
import type { Client } from '#/client/client.ts';
import { capabilityReader } from './capabilities.ts';
import type { LocalContext } from './local-context.ts';
import { contentsOf, listLine } from './send-files.ts';
import { walkContext } from './walk.ts';

/** Has the daemon get the files of a folder that it does not have from an earlier build. */
export async function uploadFolder(
  client: Client,
  part: SessionPart,
  { context, signal }: { context: LocalContext; signal: AbortSignal },
): Promise<void> {
  const files = [...walkContext(context.root, context.rules)];
  const capabilitiesOf = await capabilityReader();
  const lines = files.map((file) => listLine(file, capabilitiesOf)).join('');
  const { Wanted } = await listContext(client, part, { key: contextKey(context.root), lines, signal });
  if (Wanted.length === 0) return;
  // The daemon is trusted to ask for what was listed.
  const wanted = Wanted.flatMap((index) => files[index] ?? []);
  const body = Readable.from(
    contentsOf(wanted, () => {}),
    { objectMode: false },
  );
  await sendContext(client, part, { kind: 'files', body, signal });
}

/** Hands an archive on. */
export async function uploadArchive(
  client: Client,
  part: SessionPart,
  { bytes, signal }: { bytes: AsyncIterable<Uint8Array>; signal: AbortSignal },
): Promise<void> {
  await sendContext(client, part, {
    kind: 'archive',
    body: Readable.from(bytes, { objectMode: false }),
    signal,
  });
}

/** Names a folder of this machine, so that the daemon keeps its files for the next build. */
function contextKey(root: string): string {
  return createHash('sha256')
    .update(`${hostname()}\0${realpathSync(root)}`)
    .digest('hex');
}
