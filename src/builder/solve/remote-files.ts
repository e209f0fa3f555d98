import { invalid } from '#/base/errors.ts';
import { shownUrl } from '#/distribution/shown-url.ts';
import { parseDigest } from '#/oci/digest.ts';
import type { ReadySource } from '../ops/files/file-ops.ts';
import type { CopyInput } from '../plan/graph.ts';
import type { StatusSink } from '../progress.ts';
import type { BuildRequest } from '../request.ts';
import type { GitSource } from '../sources/git/git-source.ts';
import { type GitUrl, parseGitUrl } from '../sources/git/git-url.ts';
import type { ResolvedGit } from '../sources/git/git-work.ts';
import type { HttpFile, HttpSource } from '../sources/http/http-source.ts';
import type { Witness } from './witness.ts';

/** A source of ADD that is somewhere else. */
export type RemoteInput = Extract<CopyInput, { readonly kind: 'url' | 'git' }>;

interface Control {
  readonly signal: AbortSignal;
  readonly progress: StatusSink;
}

/** What ADD fetches in one build: each thing once, and the same for the whole build. */
export class RemoteFiles implements AsyncDisposable {
  readonly #parts: { readonly git: GitSource; readonly http: HttpSource; readonly witness: Witness };
  readonly #request: BuildRequest;
  readonly #files = new Map<string, Promise<HttpFile>>();
  readonly #commits = new Map<string, Promise<ResolvedGit>>();
  readonly #stack = new AsyncDisposableStack();

  /** `witness` hears what was fetched. */
  constructor(parts: { git: GitSource; http: HttpSource; witness: Witness }, request: BuildRequest) {
    this.#parts = parts;
    this.#request = request;
  }

  /** What tells its content from other ones. */
  async identify(source: RemoteInput, control: Control): Promise<string> {
    if (source.kind === 'url') {
      const { digest, name } = await this.#file(source, control);
      return `${name} ${digest}`;
    }
    const { url, commit } = await this.#commit(source, control);
    return [url.remote, commit, url.subdir, url.submodules].join(' ');
  }

  /** Its files. They are there until this is disposed of. */
  async fetch(source: RemoteInput, control: Control): Promise<ReadySource> {
    if (source.kind === 'url') {
      const { path, name } = await this.#file(source, control);
      return { kind: 'download', path, name };
    }
    const { keepGitDir } = source;
    const resolved = await this.#commit(source, control);
    const tree = await this.#parts.git.checkout(resolved, { ...this.#work(control), keepGitDir });
    this.#stack.use(tree);
    const directory = { kind: 'directory', root: tree.root, isShared: false, version: undefined } as const;
    return { kind: 'tree', tree: directory, pattern: '/', isWhole: true };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  #file({ url, checksum }: RemoteInput, control: Control): Promise<HttpFile> {
    const key = `${url} ${checksum ?? ''}`;
    const known = this.#files.get(key);
    if (known !== undefined) return known;
    const file = this.#getFile({ url, checksum }, control);
    this.#files.set(key, file);
    return file;
  }

  async #getFile(
    { url, checksum }: { url: string; checksum: string | undefined },
    { signal, progress }: Control,
  ): Promise<HttpFile> {
    if (!URL.canParse(url)) throw invalid(`invalid URL: ${url}`);
    const wanted = checksum === undefined ? undefined : parseDigest(checksum);
    const file = await this.#parts.http.get({ url: new URL(url), checksum: wanted, signal, progress });
    this.#stack.use(file);
    this.#parts.witness.material({ kind: 'http', url: shownUrl(new URL(url)), digest: file.digest });
    return file;
  }

  #commit(source: RemoteInput, control: Control): Promise<ResolvedGit> {
    const key = `${source.url} ${source.checksum ?? ''}`;
    const known = this.#commits.get(key);
    if (known !== undefined) return known;
    const commit = this.#resolve(source, control);
    this.#commits.set(key, commit);
    return commit;
  }

  async #resolve({ url, checksum }: RemoteInput, control: Control): Promise<ResolvedGit> {
    const parsed = parseGitUrl(url);
    if (parsed === undefined) throw invalid(`${url} is no git repository`);
    const wanted: GitUrl = checksum === undefined ? parsed : { ...parsed, checksum };
    const resolved = await this.#parts.git.resolve(wanted, this.#work(control));
    const { remote } = resolved.url;
    this.#parts.witness.material({ kind: 'git', url: remote, commit: resolved.commit });
    return resolved;
  }

  #work({ signal }: Control): Parameters<GitSource['resolve']>[1] {
    const { secrets, ssh } = this.#request;
    return { secrets, ssh, signal };
  }
}
