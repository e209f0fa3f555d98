import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClientBuilds } from '#/api/backend.ts';
import { ClassicStates } from '#/api/build/classic-states.ts';
import { RunningBuilds } from '#/api/build/running-builds.ts';
import { BuildSessions } from '#/api/build/sessions.ts';
import { ArchiveContexts } from '#/builder/context/archive-contexts.ts';
import type { ContextStore } from '#/builder/context/context-store.ts';

/** Makes what clients bring to builds; archives are unpacked below `root`. */
export async function openClientBuilds(
  { root, contexts }: { root: string; contexts: ContextStore },
  stack: AsyncDisposableStack,
): Promise<ClientBuilds> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  return {
    archives: await ArchiveContexts.open({ root: join(root, 'archives') }),
    contexts,
    sessions: stack.use(new BuildSessions()),
    running: new RunningBuilds(),
    states: new ClassicStates(),
  };
}
