import { invalid } from '#/base/errors.ts';
import { layoutArchive } from '#/builder/context/client-layout.ts';
import type { BuildContext } from '#/builder/request.ts';
import { hostPlatform, type Platform, parsePlatform } from '#/oci/platform.ts';
import type { BuilderBackend } from '../../backend.ts';
import { FileSyncContext, type TreeStore } from '../filesync/file-sync.ts';
import { layoutFolder } from '../session/content.ts';
import { lentBy } from '../session/lent.ts';
import type { ClientSession } from '../session/session.ts';
import type { Sessions } from '../session/sessions.ts';
import { type Archives, isUpload, UploadContext, uploaded } from '../session/upload.ts';
import { type Attributes, flagAt } from './attributes.ts';
import type { ContextSource, SolveInput } from './build-request.ts';

/** What contexts are made with. */
export interface ContextParts {
  readonly builder: Pick<BuilderBackend, 'remoteContext'>;
  readonly trees: TreeStore;
  readonly sessions: Sessions;
  readonly archives: Archives;
}

/** Whose files they are, and how a build names them. */
export type ContextInput = Pick<SolveInput, 'session' | 'attributes'>;

/** Where the files of a build come from: directories of the client's session, or addresses. The stack has what goes after the build. */
export function sessionContexts(
  { session, attributes }: ContextInput,
  { builder, trees, sessions, archives, stack }: ContextParts & { readonly stack: AsyncDisposableStack },
): Omit<ContextSource, 'input'> {
  return {
    local(name): BuildContext {
      if (session === undefined) throw invalid('the build needs files of the client, which has no session');
      // Builds that are begun together share a session that has the directories of all of them.
      const owner = attributes.get(`local-sessionid:${name}`);
      const find = (options: { signal: AbortSignal }): Promise<ClientSession> =>
        owner === undefined ? Promise.resolve(session) : sessions.get(owner, options);
      return new FileSyncContext(name, { session: find, trees });
    },
    layout(name, digest): BuildContext {
      if (session === undefined)
        throw invalid('the build needs an image of the client, which has no session');
      const content = layoutFolder(session, name);
      const platforms = platformsIn(attributes);
      const archive = (signal: AbortSignal): AsyncIterable<Uint8Array> =>
        layoutArchive(content, { digest, platforms, signal });
      return stack.use(new UploadContext(name, { archive, archives }));
    },
    remote(url): BuildContext {
      if (session !== undefined && isUpload(url)) {
        const archive = (signal: AbortSignal): AsyncIterable<Uint8Array> => uploaded(session, url, signal);
        return stack.use(new UploadContext('context', { archive, archives }));
      }
      const context = builder.remoteContext(url, {
        ...lentBy(session),
        dockerfile: attributes.get('filename') || 'Dockerfile',
        keepGitDir: flagAt(attributes, 'build-arg:BUILDKIT_CONTEXT_KEEP_GIT_DIR') ?? false,
      });
      if (context === undefined) throw invalid(`invalid context: ${JSON.stringify(url)} is no URL of one`);
      return context;
    },
  };
}

/** Those that are built for. */
function platformsIn(attributes: Attributes): Platform[] {
  const named = (attributes.get('platform') ?? '').split(',').filter(Boolean);
  return named.length === 0 ? [hostPlatform()] : named.map(parsePlatform);
}
