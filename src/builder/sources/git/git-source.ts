import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { invalid, notFound } from '#/base/errors.ts';
import { KeyedLocks } from '#/base/locks.ts';
import type { Proxies } from '#/distribution/proxies.ts';
import { Directory } from '#/storage/tree/directory.ts';
import { removeTree } from '#/storage/tree/remove-tree.ts';
import { treeUsage } from '#/storage/tree/tree-usage.ts';
import type { FileKeeper, KeptFiles } from '../../cache/kept-files.ts';
import { openAccess } from './git-access.ts';
import { Checkout } from './git-checkout.ts';
import { makeGitDirectory } from './git-directory.ts';
import { Fetch } from './git-fetch.ts';
import { Git } from './git-program.ts';
import type { GitUrl } from './git-url.ts';
import type { GitWork, ResolvedGit } from './git-work.ts';
import { insideOf } from './inside.ts';

/** Files of a commit in a folder of their own, until it is disposed of. */
export interface GitTree extends AsyncDisposable {
  /** The directory that the URL means: owned by root, times those of the commit. */
  readonly root: string;
}

/** The file of a repository that says what it is (gitrepository-layout(5)); its time is that of the last use. */
const description = 'description';
const maxListBytes = 64 * 1024 * 1024;

/**
 * Git repositories as sources of files. What was fetched is kept in bare repositories below the data root, one for each remote.
 * Trees do not come from a checkout but from git's archive of the commit, which our own extractor unpacks: git never writes to or
 * follows anything in a tree that a stranger made, and the same commit gives the same files with the same times.
 */
export class GitSource implements FileKeeper {
  readonly #root: string;
  readonly #proxies: Proxies;
  readonly #locks = new KeyedLocks();

  private constructor(root: string, proxies: Proxies) {
    this.#root = root;
    this.#proxies = proxies;
  }

  /** Opens or creates the cache in the directory `root`; trees that a daemon which died has left go. */
  static async open({ root, proxies }: { root: string; proxies: Proxies }): Promise<GitSource> {
    for (const name of ['', 'repositories']) await mkdir(join(root, name), { recursive: true, mode: 0o700 });
    const source = new GitSource(root, proxies);
    await source.#removeTree('trees');
    await mkdir(join(root, 'trees'), { mode: 0o700 });
    for (const name of await readdir(join(root, 'repositories'))) {
      if (!isComplete(join(root, 'repositories', name))) await source.#removeTree('repositories', name);
    }
    return source;
  }

  /** Asks the remote what the URL means. Throws `notFound` for a reference that it does not have, `invalid` for another commit than the URL's checksum. */
  async resolve(url: GitUrl, work: GitWork): Promise<ResolvedGit> {
    const resolved = isCommit(url.ref)
      ? { url, commit: url.ref, ref: undefined }
      : await this.#lookUp(url, work);
    const { checksum } = url;
    if (checksum !== undefined && !resolved.commit.startsWith(checksum)) {
      throw invalid(
        `expected checksum to match ${checksum}, got ${resolved.commit} for ${url.ref ?? 'HEAD'} of ${url.remote}`,
      );
    }
    return resolved;
  }

  /** The files of the commit, with those of its submodules unless the URL does without; with `keepGitDir` a repository around them. */
  async checkout(resolved: ResolvedGit, work: GitWork & { keepGitDir?: boolean }): Promise<GitTree> {
    const { url } = resolved;
    await using stack = new AsyncDisposableStack();
    const name = randomUUID();
    const top = join(this.#root, 'trees', name);
    for (const each of [name, `${name}.git`]) stack.defer(() => this.#removeTree('trees', each));
    await mkdir(top, { mode: 0o755 });
    using directory = Directory.open(top);
    const { subdir } = url;
    await new Checkout((...call) => this.#withCommit(...call), work, url.host).fill({
      directory,
      resolved,
      subdir,
      depth: 0,
    });
    // As in BuildKit, a part of a repository is no repository.
    if ((url.keepGitDir ?? work.keepGitDir) === true && subdir === '') {
      await this.#withCommit(resolved, { ...work, mainHost: url.host }, (git, repository) =>
        makeGitDirectory({ git, repository, top, ...resolved, remote: url.remote }, work.signal),
      );
    }
    using inside = insideOf(directory, subdir);
    if (inside === undefined) throw notFound(`${url.remote} has no directory ${JSON.stringify(subdir)}`);
    const kept = stack.move();
    return { root: join(top, subdir), [Symbol.asyncDispose]: () => kept.disposeAsync() };
  }

  /** The repositories; they are fetched again when they are needed. */
  async kept(): Promise<KeptFiles[]> {
    const found: KeptFiles[] = [];
    for (const id of await readdir(join(this.#root, 'repositories'))) {
      const path = join(this.#root, 'repositories', id);
      // One that is just being made, or removed, is nothing yet or any more.
      const [facts, usage] = await Promise.allSettled([readDescription(path), treeUsage(path)]);
      if (facts.status === 'rejected' || usage.status === 'rejected') continue;
      const { text, created, used } = facts.value;
      const kind = 'source.git.checkout';
      const inUse = this.#locks.isHeld(id);
      found.push({ id, kind, description: text, inUse, size: usage.value.bytes, created, used });
    }
    return found;
  }

  /** Removes a repository, unless somebody works with it. */
  async forget(id: string): Promise<boolean> {
    if (this.#locks.isHeld(id) || !/^[0-9a-f]{64}$/.test(id)) return false;
    using _alone = await this.#locks.acquire(id);
    await this.#removeTree('repositories', id);
    return true;
  }

  /** Calls `use` with a bare repository that has the commit; it stays as it is meanwhile. */
  async #withCommit<T>(
    { url, commit, ref }: ResolvedGit,
    work: GitWork & { mainHost: string },
    use: (git: Git, repository: string) => Promise<T>,
  ): Promise<T> {
    const key = createHash('sha256').update(`${commit.length} ${url.remote}`).digest('hex');
    using _alone = await this.#locks.acquireUnless(key, work.signal);
    const repository = join(this.#root, 'repositories', key);
    using access = await openAccess(url, work, this.#root);
    const git = new Git({ proxies: this.#proxies, env: access.env });
    await this.#prepare(git, { repository, remote: url.remote, commit, signal: work.signal });
    const fetch = new Fetch({ git, repository, remote: url.remote, work });
    if (!(await fetch.has(commit))) await fetch.run(commit, ref);
    // Without this the lock would be let go at once.
    return await use(git, repository);
  }

  async #lookUp(url: GitUrl, work: GitWork): Promise<ResolvedGit> {
    using access = await openAccess(url, { ...work, mainHost: url.host }, this.#root);
    const git = new Git({ proxies: this.#proxies, env: access.env });
    const names = candidates(url.ref);
    const { signal, onMessage } = work;
    const args = [
      'ls-remote',
      '--symref',
      '--',
      url.remote,
      ...names.flatMap((name) => [name, `${name}^{}`]),
    ];
    const listed = parseRefs(await git.output({ args, signal, onMessage, maxBytes: maxListBytes }));
    for (const name of names) {
      // A tag can be an object of its own, which has the commit.
      const commit = listed.ids.get(`${name}^{}`) ?? listed.ids.get(name);
      if (commit !== undefined) return { url, commit, ref: name === 'HEAD' ? listed.head : name };
    }
    throw notFound(`repository ${url.remote} does not contain ref ${url.ref ?? 'HEAD'}`);
  }

  /** An empty bare repository, or the one that is there, without the locks of a git that died. */
  async #prepare(
    git: Git,
    {
      repository,
      remote,
      commit,
      signal,
    }: { repository: string; remote: string; commit: string; signal: AbortSignal },
  ): Promise<void> {
    if (isComplete(repository)) {
      await removeLeftovers(repository);
      const now = new Date();
      await utimes(join(repository, description), now, now);
      return;
    }
    await rm(repository, { recursive: true, force: true });
    const format = commit.length === 64 ? 'sha256' : 'sha1';
    await git.output({
      args: ['init', '--quiet', '--bare', `--object-format=${format}`, repository],
      signal,
    });
    await mkdir(join(repository, 'info'), { recursive: true });
    await writeFile(join(repository, description), `git source for ${remote}\n`);
    // The last word on what an archive leaves out or fills in: a build gets what a checkout has.
    await writeFile(join(repository, 'info', 'attributes'), '* -export-ignore -export-subst\n');
  }

  async #removeTree(folder: string, name?: string): Promise<void> {
    using parent = Directory.open(name === undefined ? this.#root : join(this.#root, folder));
    await removeTree(parent, name ?? folder);
  }
}

/** Its last file is there. */
function isComplete(repository: string): boolean {
  return existsSync(join(repository, 'info', 'attributes'));
}

/** What a git that was killed has left: its lock, and half of what it was getting. */
async function removeLeftovers(repository: string): Promise<void> {
  await rm(join(repository, 'shallow.lock'), { force: true });
  const packs = join(repository, 'objects', 'pack');
  for (const name of await readdir(packs)) {
    if (name.startsWith('tmp_')) await rm(join(packs, name), { force: true });
  }
}

async function readDescription(repository: string): Promise<{ text: string; created: Date; used: Date }> {
  await using file = await open(join(repository, description));
  const { mtime, birthtime } = await file.stat();
  return { text: (await file.readFile('utf8')).trim(), created: birthtime, used: mtime };
}

/** What a short name can mean, the best first: as in git's checkout, branches come before tags. */
function candidates(ref: string | undefined): string[] {
  if (ref === undefined || ref === 'HEAD') return ['HEAD'];
  const full = ref.startsWith('refs/') ? [ref] : [`refs/${ref}`];
  return ref.startsWith('refs/') ? full : [...full, `refs/heads/${ref}`, `refs/tags/${ref}`];
}

function isCommit(ref: string | undefined): ref is string {
  return ref !== undefined && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(ref);
}

/** What `ls-remote --symref` lists. */
function parseRefs(listing: Buffer): { ids: ReadonlyMap<string, string>; head: string | undefined } {
  const ids = new Map<string, string>();
  let head: string | undefined;
  for (const line of listing.toString().split('\n')) {
    const [value = '', name = ''] = line.split('\t');
    if (value.startsWith('ref: ') && name === 'HEAD') head = value.slice(5);
    else if (isCommit(value)) ids.set(name, value);
  }
  return { ids, head };
}
