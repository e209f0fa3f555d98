import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClientBuilds } from '#/api/backend.ts';
import { RunningBuilds } from '#/api/build/running-builds.ts';
import { BuildSessions } from '#/api/build/sessions.ts';
import { ArchiveContexts } from '#/builder/context/archive-contexts.ts';

/** Makes what clients bring to builds; files go below `root`. */
export async function openClientBuilds(root: string, stack: AsyncDisposableStack): Promise<ClientBuilds> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  return {
    archives: await ArchiveContexts.open({ root: join(root, 'archives') }),
    sessions: stack.use(new BuildSessions()),
    running: new RunningBuilds(),
  };
}
