import { invalid } from '#/base/errors.ts';
import { type Git, GitFailure } from './git-program.ts';
import { type GitUrl, submoduleAddress } from './git-url.ts';

/** Another repository inside of one. */
export interface Submodule {
  /** Relative, normalised, never in a `.git`. */
  readonly path: string;
  readonly url: GitUrl;
  readonly commit: string;
}

interface Where {
  readonly git: Git;
  readonly repository: string;
  readonly commit: string;
  readonly url: GitUrl;
  readonly signal: AbortSignal;
}

const maxBytes = 1024 * 1024;

/** The submodules of a commit: what its `.gitmodules` says of places where the commit really has one. */
export async function listSubmodules(where: Where): Promise<Submodule[]> {
  const found: Submodule[] = [];
  for (const { path, address } of await configured(where)) {
    const commit = await linkedCommit(where, path);
    if (commit !== undefined) found.push({ path, url: submoduleAddress(where.url, address), commit });
  }
  return found;
}

async function configured({
  git,
  repository,
  commit,
  signal,
}: Where): Promise<{ path: string; address: string }[]> {
  const base = [`--git-dir=${repository}`];
  const kind = await optional(
    git.output({ args: [...base, 'cat-file', '-t', `${commit}:.gitmodules`], signal }),
  );
  if (kind?.toString().trim() !== 'blob') return [];
  const args = [...base, 'config', `--blob=${commit}:.gitmodules`, '--no-includes', '-z', '--list'];
  const members = new Map<string, { path?: string; url?: string }>();
  for (const entry of (await git.output({ args, signal, maxBytes })).toString().split('\0')) {
    const [, name, key] = /^submodule\.(.+)\.(path|url)\n/s.exec(entry) ?? [];
    if (name === undefined || key === undefined) continue;
    const value = entry.slice(entry.indexOf('\n') + 1);
    members.set(name, { ...members.get(name), [key]: value });
  }
  return [...members.values()].flatMap(({ path, url }) => {
    if (path === undefined || url === undefined) return [];
    return [{ path: checkedPath(path), address: url }];
  });
}

/** The commit that stands at `path`, if a submodule does. */
async function linkedCommit(
  { git, repository, commit, signal }: Where,
  path: string,
): Promise<string | undefined> {
  const args = [`--git-dir=${repository}`, 'ls-tree', '-z', '--full-tree', commit, '--', path];
  const listed = (await git.output({ args, signal })).toString();
  const [, id, at] = /^160000 commit ([0-9a-f]{40,64})\t(.*)\0$/s.exec(listed) ?? [];
  return at === path ? id : undefined;
}

function checkedPath(path: string): string {
  const parts = path.split('/');
  const isBad = parts.some((part) => ['', '.', '..'].includes(part) || part.toLowerCase() === '.git');
  if (!isBad && !path.includes('\0')) return path;
  throw invalid(`invalid place of a git submodule: ${JSON.stringify(path.slice(0, 200))}`);
}

async function optional<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof GitFailure) return undefined;
    throw error;
  }
}
