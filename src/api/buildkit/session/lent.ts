import type { BuildRequest } from '#/builder/request.ts';
import { noSecrets, noSsh } from '../../build/nothing-lent.ts';
import { sessionAuth } from './auth.ts';
import { cacheFolder } from './content.ts';
import { sessionSecrets } from './secrets.ts';
import type { ClientSession } from './session.ts';
import { sessionSsh } from './ssh.ts';

/** What a client lends to its builds. */
export type Lent = Pick<BuildRequest, 'secrets' | 'ssh' | 'registryAuth' | 'clientContent'>;

/** What the client of a session lends, as it is asked for; without a session nothing. */
export function lentBy(session: ClientSession | undefined): Lent {
  if (session !== undefined) {
    return {
      secrets: sessionSecrets(session),
      ssh: sessionSsh(session),
      registryAuth: sessionAuth(session),
      clientContent: (location) => cacheFolder(session, location),
    };
  }
  const registryAuth = { credentials: () => Promise.resolve({ kind: 'anonymous' } as const) };
  return { secrets: noSecrets, ssh: noSsh, registryAuth };
}
