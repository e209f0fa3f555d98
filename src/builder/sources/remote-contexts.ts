import { randomUUID } from 'node:crypto';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { shownUrl } from '#/distribution/shown-url.ts';
import { IgnoreRules } from '#/dockerfile/ignore.ts';
import { algorithmOf, type Digest, hexOf } from '#/oci/digest.ts';
import { Directory } from '#/storage/tree/directory.ts';
import { removeTree } from '#/storage/tree/remove-tree.ts';
import type { BuildContext, ContextTree, SecretSource, SshSource } from '../request.ts';
import { looksLikeArchive, unpackArchive } from './archive-file.ts';
import type { GitSource } from './git/git-source.ts';
import { type GitUrl, parseGitUrl } from './git/git-url.ts';
import type { ResolvedGit } from './git/git-work.ts';
import type { HttpFile, HttpSource } from './http/http-source.ts';
import { removeIgnored } from './ignored.ts';

/** What a client lends for getting a context, and how it wants it. */
export interface RemoteAccess {
  readonly secrets: SecretSource;
  readonly ssh: SshSource;
  /** What a file is called that turns out to be no archive but a Dockerfile. */
  readonly dockerfile: string;
  /** Repositories come with their `.git`, unless the URL says otherwise. */
  readonly keepGitDir: boolean;
}

/** What tells files from elsewhere from all others. */
export interface Origin {
  readonly uri: string;
  readonly digest: Readonly<Record<string, string>>;
}

type OpenOptions = Parameters<BuildContext['open']>[1];

/** Contexts that a client names by a URL: a git repository, an archive, or a Dockerfile alone. */
export class RemoteContexts {
  readonly #git: GitSource;
  readonly #http: HttpSource;
  readonly #root: string;

  private constructor(parts: { git: GitSource; http: HttpSource; root: string }) {
    this.#git = parts.git;
    this.#http = parts.http;
    this.#root = parts.root;
  }

  /** `root` is the folder for archives that are unpacked; what a daemon that died has left there goes. */
  static async open(parts: { git: GitSource; http: HttpSource; root: string }): Promise<RemoteContexts> {
    await mkdir(parts.root, { recursive: true, mode: 0o700 });
    using root = Directory.open(parts.root);
    for (const name of root.names()) await removeTree(root, name);
    return new RemoteContexts(parts);
  }

  /** The context; undefined if the text is not a URL of one. Nothing is asked for until it is opened. Throws `invalid`. */
  of(text: string, access: RemoteAccess): BuildContext | undefined {
    const git = parseGitUrl(text);
    if (git !== undefined) return new GitContext(this.#git, git, access);
    if (!/^https?:\/\//.test(text) || !URL.canParse(text)) return undefined;
    return new HttpContext(this.#http, new URL(text), { root: this.#root, dockerfile: access.dockerfile });
  }
}

/** Where the files of a context really came from; undefined if a client has sent them, or it was not opened. */
export function originOf(context: BuildContext): Origin | undefined {
  return context instanceof GitContext || context instanceof HttpContext ? context.origin : undefined;
}

/** A repository. It is the same commit for the whole build. */
class GitContext implements BuildContext {
  readonly name: string;
  readonly #source: GitSource;
  readonly #url: GitUrl;
  readonly #access: RemoteAccess;
  #resolved: ResolvedGit | undefined;

  constructor(source: GitSource, url: GitUrl, access: RemoteAccess) {
    this.#source = source;
    this.#url = url;
    this.#access = access;
    this.name = `${url.remote}${url.ref === undefined ? '' : `#${url.ref}`}`;
  }

  get origin(): Origin | undefined {
    if (this.#resolved === undefined) return undefined;
    const { commit } = this.#resolved;
    return { uri: this.name, digest: { [commit.length === 64 ? 'sha256' : 'sha1']: commit } };
  }

  async open(
    { excludes }: { excludes: readonly string[] },
    { signal, progress }: OpenOptions,
  ): Promise<ContextTree> {
    const rules = new IgnoreRules(excludes);
    const { secrets, ssh, keepGitDir } = this.#access;
    const work = { secrets, ssh, signal };
    const started = new Date();
    const id = `cloning ${this.name}`;
    progress({ id, current: 0, total: 0, started });
    this.#resolved ??= await this.#source.resolve(this.#url, work);
    await using stack = new AsyncDisposableStack();
    const tree = stack.use(await this.#source.checkout(this.#resolved, { ...work, keepGitDir }));
    await removeIgnored(tree.root, rules);
    progress({ id, current: 0, total: 0, started, completed: new Date() });
    const kept = stack.move();
    return { root: tree.root, [Symbol.asyncDispose]: () => kept.disposeAsync() };
  }
}

/** A file from the web. It has the same content for the whole build. */
class HttpContext implements BuildContext {
  readonly name: string;
  readonly #source: HttpSource;
  readonly #url: URL;
  readonly #options: { readonly root: string; readonly dockerfile: string };
  #digest: Digest | undefined;

  constructor(source: HttpSource, url: URL, options: { root: string; dockerfile: string }) {
    this.#source = source;
    this.#url = url;
    this.#options = options;
    this.name = shownUrl(url);
  }

  get origin(): Origin | undefined {
    if (this.#digest === undefined) return undefined;
    return { uri: this.name, digest: { [algorithmOf(this.#digest)]: hexOf(this.#digest) } };
  }

  async open(
    { excludes }: { excludes: readonly string[] },
    { signal, progress }: OpenOptions,
  ): Promise<ContextTree> {
    const rules = new IgnoreRules(excludes);
    await using file = await this.#source.get({ url: this.#url, checksum: this.#digest, signal, progress });
    this.#digest = file.digest;
    await using stack = new AsyncDisposableStack();
    const name = randomUUID();
    const root = join(this.#options.root, name);
    stack.defer(async () => {
      using parent = Directory.open(this.#options.root);
      await removeTree(parent, name);
    });
    await mkdir(root, { mode: 0o755 });
    if (await looksLikeArchive(file.path)) await unpackArchive(file.path, { root, signal });
    else await this.#placeDockerfile(file, root);
    await removeIgnored(root, rules);
    const kept = stack.move();
    return { root, [Symbol.asyncDispose]: () => kept.disposeAsync() };
  }

  async #placeDockerfile({ path }: HttpFile, root: string): Promise<void> {
    const parts = this.#options.dockerfile.split('/').filter((part) => !['', '.', '..'].includes(part));
    const at = join(root, ...(parts.length === 0 ? ['Dockerfile'] : parts));
    await mkdir(join(at, '..'), { recursive: true });
    await copyFile(path, at);
  }
}
