import { invalid, notImplemented } from '#/base/errors.ts';
import type { BuildContext } from '#/builder/request.ts';
import { FileSyncContext, type TreeStore } from '../filesync/file-sync.ts';
import type { ContextSource, SolveInput } from './build-request.ts';

/** Where the files of a build come from: directories of the client's session, or addresses. */
export function sessionContexts({ session }: SolveInput, store: TreeStore): Omit<ContextSource, 'input'> {
  return {
    local(name): BuildContext {
      if (session === undefined) throw invalid('the build needs files of the client, which has no session');
      return new FileSyncContext(name, { session, store });
    },
    remote(url): BuildContext {
      throw notImplemented(`the remote context ${JSON.stringify(url)} is not implemented`);
    },
  };
}
