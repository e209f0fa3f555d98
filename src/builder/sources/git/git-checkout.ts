import { mkdir } from 'node:fs/promises';
import { invalid, notFound } from '#/base/errors.ts';
import { extractTar } from '#/storage/archive/extract.ts';
import type { Directory } from '#/storage/tree/directory.ts';
import { type Git, GitFailure } from './git-program.ts';
import type { GitWork, ResolvedGit } from './git-work.ts';
import { insideOf } from './inside.ts';
import { listSubmodules, type Submodule } from './submodules.ts';

/** Submodules in submodules, and all of them together: more than anybody has. */
const maxDepth = 8;
const maxSubmodules = 500;

/** Calls `use` with a bare repository that has the commit; it stays as it is meanwhile. */
export type WithCommit = <T>(
  resolved: ResolvedGit,
  work: GitWork & { mainHost: string },
  use: (git: Git, repository: string) => Promise<T>,
) => Promise<T>;

/** A tree, or a part of one, and where it goes. */
interface Filling {
  readonly directory: Directory;
  readonly resolved: ResolvedGit;
  /** Only this directory of it, at its place. */
  readonly subdir: string;
  /** In how many other repositories it is. */
  readonly depth: number;
}

/** One tree in the making, with its submodules. */
export class Checkout {
  readonly #withCommit: WithCommit;
  readonly #work: GitWork;
  readonly #mainHost: string;
  #submodules = 0;

  constructor(withCommit: WithCommit, work: GitWork, mainHost: string) {
    this.#withCommit = withCommit;
    this.#work = work;
    this.#mainHost = mainHost;
  }

  async fill({ directory, resolved, subdir, depth }: Filling): Promise<void> {
    const { signal } = this.#work;
    const { url, commit } = resolved;
    const work = { ...this.#work, mainHost: this.#mainHost };
    const submodules = await this.#withCommit(resolved, work, async (git, repository) => {
      const listed = url.submodules ? await listSubmodules({ git, repository, commit, url, signal }) : [];
      const around = listed.find(({ path }) => `${subdir}/`.startsWith(`${path}/`));
      if (around !== undefined) return [around];
      await requireDirectory(git, { repository, commit, subdir, remote: url.remote, signal });
      const paths = subdir === '' ? [] : ['--', subdir];
      const args = [`--git-dir=${repository}`, 'archive', '--format=tar', commit, ...paths];
      const root = `/proc/self/fd/${directory.fd}`;
      await extractTar(git.stream({ args, signal }), { root, whiteouts: 'none', signal });
      return listed.filter(({ path }) => subdir === '' || `${path}/`.startsWith(`${subdir}/`));
    });
    for (const submodule of submodules)
      await this.#fillSubmodule({ directory, resolved, subdir, depth }, submodule);
  }

  async #fillSubmodule(outer: Filling, { path, url, commit }: Submodule): Promise<void> {
    const { directory, subdir, depth } = outer;
    this.#submodules += 1;
    if (depth >= maxDepth || this.#submodules > maxSubmodules) {
      throw invalid(
        `${url.remote}: submodules are nested more than ${maxDepth} deep or more than ${maxSubmodules}`,
      );
    }
    const isAround = `${subdir}/`.startsWith(`${path}/`);
    // Nothing of the repository around it is there.
    if (isAround) await mkdir(`/proc/self/fd/${directory.fd}/${path}`, { recursive: true, mode: 0o755 });
    // Else the archive has made an empty directory for it; something else in its place is the stranger's doing.
    using place = insideOf(directory, path);
    if (place === undefined) {
      throw invalid(`the place ${JSON.stringify(path)} of a git submodule is not a directory`);
    }
    const rest = isAround ? subdir.slice(path.length + 1) : '';
    const resolved = { url, commit, ref: undefined };
    await this.fill({ directory: place, resolved, subdir: rest, depth: depth + 1 });
  }
}

async function requireDirectory(
  git: Git,
  {
    repository,
    commit,
    subdir,
    remote,
    signal,
  }: { repository: string; commit: string; subdir: string; remote: string; signal: AbortSignal },
): Promise<void> {
  if (subdir === '') return;
  try {
    const args = [`--git-dir=${repository}`, 'cat-file', '-e', `${commit}:${subdir}/`];
    await git.output({ args, signal });
  } catch (error) {
    if (!(error instanceof GitFailure)) throw error;
    throw notFound(`${remote} has no directory ${JSON.stringify(subdir)} at ${commit}`, error);
  }
}
