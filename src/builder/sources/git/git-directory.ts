import { rename, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Git } from './git-program.ts';

/** What a `.git` is made of. */
export interface GitDirectoryRequest {
  readonly git: Git;
  /** A bare repository that has the commit. */
  readonly repository: string;
  /** Where the files of the commit are; `.git` comes beside them. */
  readonly top: string;
  readonly commit: string;
  /** The full name of the branch or tag. */
  readonly ref: string | undefined;
  readonly remote: string;
}

/**
 * Makes the folder of files a repository with this one commit: HEAD on it (on the branch, if it came by one), the remote named
 * `origin`, an index that fits the files.
 */
export async function makeGitDirectory(request: GitDirectoryRequest, signal: AbortSignal): Promise<void> {
  const { git, repository, top, commit, ref, remote } = request;
  // Made elsewhere: whatever a stranger's tree has at that place, git must not take it for its own.
  const made = `${top}.git`;
  const directory = join(made, '.git');
  const run = async (...args: string[]): Promise<void> => {
    await git.output({ args: [`--git-dir=${directory}`, `--work-tree=${top}`, ...args], signal });
  };
  const format = commit.length === 64 ? 'sha256' : 'sha1';
  await git.output({ args: ['init', '--quiet', `--object-format=${format}`, made], signal });
  await git.output({
    args: [
      `--git-dir=${directory}`,
      'fetch',
      '--quiet',
      '--depth=1',
      '--no-tags',
      '--no-write-fetch-head',
      '--',
      repository,
      commit,
    ],
    protocols: 'file',
    signal,
  });
  await run('config', 'remote.origin.url', remote);
  await run('config', 'remote.origin.fetch', '+refs/heads/*:refs/remotes/origin/*');
  if (ref?.startsWith('refs/') === true) await run('update-ref', ref, commit);
  if (ref?.startsWith('refs/heads/') === true) {
    await run('symbolic-ref', 'HEAD', ref);
    await run('update-ref', `refs/remotes/origin/${ref.slice('refs/heads/'.length)}`, commit);
  } else {
    await run('update-ref', '--no-deref', 'HEAD', commit);
  }
  await run('read-tree', 'HEAD');
  await rename(directory, join(top, '.git'));
  await rmdir(made);
}
