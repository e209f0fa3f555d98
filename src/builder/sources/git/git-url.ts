import { posix } from 'node:path';
import { invalid } from '#/base/errors.ts';

/** What a git URL of a build says: where the repository is, and what of it is meant. */
export interface GitUrl {
  /** For git and for people: without user and password. */
  readonly remote: string;
  /** `github.com`, `localhost:8080`. */
  readonly host: string;
  /** From the URL itself; never shown. */
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  /** A branch, a tag, a full reference or a complete commit id; undefined: what the repository calls its HEAD. */
  readonly ref: string | undefined;
  /** The directory that is meant, relative and normalised; empty: the top. */
  readonly subdir: string;
  /** What the id of the commit has to begin with. */
  readonly checksum: string | undefined;
  /** Undefined: whatever the place where the URL stands says. */
  readonly keepGitDir: boolean | undefined;
  readonly submodules: boolean;
}

type Address = Pick<GitUrl, 'remote' | 'host' | 'credentials'>;
type Selection = Omit<GitUrl, keyof Address>;

const scpForm =
  /^(?:([A-Za-z0-9_-][A-Za-z0-9_.-]*)@)([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\]):([^/?#][^?#]*|\/[^/?#][^?#]*)/;
const schemes: ReadonlySet<string> = new Set(['http:', 'https:', 'git:', 'ssh:']);
/** Characters. */
const maxLength = 4096;

/**
 * Reads a git URL by Docker's rules: `git://`, `ssh://`, `user@host:path`, `github.com/…`, and `http(s)://` if the path ends in
 * `.git`; then `#ref:subdir` or a query (`?branch=…&subdir=…`). Undefined: it is something else. Throws `invalid` for a git URL
 * that asks for what cannot be.
 */
export function parseGitUrl(text: string): GitUrl | undefined {
  const { address, query, fragment } = split(text);
  if (!isGitAddress(address)) return undefined;
  if (text.length > maxLength || /[\0-\x20\x7f]/.test(text)) throw invalid(`invalid git URL ${shown(text)}`);
  const parsed = parseAddress(address, text);
  const fromFragment = fragment === undefined ? undefined : readFragment(fragment, text);
  return { ...parsed, ...readQuery(query, fromFragment, text) };
}

/**
 * Where a submodule is: an address of its own, or one relative to the repository that names it. Throws `invalid` for other
 * protocols than those of git URLs, so that no submodule leads to the files of this machine.
 */
export function submoduleAddress(parent: GitUrl, url: string): GitUrl {
  const relative = url.startsWith('./') || url.startsWith('../');
  const text = relative ? relativeTo(parent.remote, url) : url;
  if (text.length > maxLength || /[\0-\x20\x7f?#]/.test(text) || text.startsWith('-'))
    throw invalid(`invalid URL of a git submodule: ${shown(text)}`);
  const none = { ref: undefined, subdir: '', checksum: undefined, keepGitDir: false, submodules: true };
  const address = parseAddress(text, text);
  const { credentials } = address.host === parent.host ? parent : { credentials: undefined };
  return { ...address, credentials: address.credentials ?? credentials, ...none };
}

function split(text: string): { address: string; query: string | undefined; fragment: string | undefined } {
  const hash = text.indexOf('#');
  const before = hash < 0 ? text : text.slice(0, hash);
  const mark = before.indexOf('?');
  return {
    address: mark < 0 ? before : before.slice(0, mark),
    query: mark < 0 ? undefined : before.slice(mark + 1),
    fragment: hash < 0 ? undefined : text.slice(hash + 1),
  };
}

function isGitAddress(address: string): boolean {
  if (/^(?:git|ssh):\/\//.test(address) || address.startsWith('github.com/')) return true;
  if (/^https?:\/\//.test(address)) return address.endsWith('.git');
  return !address.includes('://') && scpForm.test(address);
}

function parseAddress(address: string, whole: string): Address {
  const scp = address.includes('://') ? null : scpForm.exec(address);
  if (scp !== null) {
    const [, , host = '', path = ''] = scp;
    if (host.startsWith('-') || path.startsWith('-')) throw invalid(`invalid git URL ${shown(whole)}`);
    return { remote: address, host, credentials: undefined };
  }
  const text = address.startsWith('github.com/') ? `https://${address}` : address;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const usable =
    url !== undefined && schemes.has(url.protocol) && url.hostname !== '' && url.pathname.length > 1;
  if (!usable || url.hostname.startsWith('-') || url.pathname.startsWith('/-')) {
    throw invalid(`invalid git URL ${shown(whole)}: a repository is named by https, http, ssh or git`);
  }
  if (url.protocol !== 'ssh:' && (url.username !== '' || url.password !== '')) {
    const credentials = { username: decoded(url.username), password: decoded(url.password) };
    url.username = '';
    url.password = '';
    return { remote: url.href, host: url.host, credentials };
  }
  // ssh asks its agent; a password has no use and would only be shown.
  url.password = '';
  return { remote: url.href, host: url.host, credentials: undefined };
}

function readFragment(fragment: string, whole: string): Pick<Selection, 'ref' | 'subdir'> {
  const text = decoded(fragment);
  const colon = text.indexOf(':');
  const ref = colon < 0 ? text : text.slice(0, colon);
  return {
    ref: ref === '' ? undefined : checkedRef(ref, whole),
    subdir: colon < 0 ? '' : normalSubdir(text.slice(colon + 1), whole),
  };
}

function readQuery(
  query: string | undefined,
  fragment: Pick<Selection, 'ref' | 'subdir'> | undefined,
  whole: string,
): Selection {
  let { ref, subdir } = fragment ?? { ref: undefined, subdir: '' };
  let checksum: string | undefined;
  let keepGitDir: boolean | undefined;
  let submodules = true;
  const setRef = (value: string): void => {
    const next = checkedRef(value, whole);
    if (ref !== undefined && ref !== next) throw invalid(`git URL ${shown(whole)} names two references`);
    ref = next;
  };
  for (const [key, value] of new URLSearchParams(query ?? '')) {
    if (key === 'ref') setRef(value);
    else if (key === 'branch') setRef(`refs/heads/${value.replace(/^refs\/heads\//, '')}`);
    else if (key === 'tag') setRef(`refs/tags/${value.replace(/^refs\/tags\//, '')}`);
    else if (key === 'subdir') {
      const next = normalSubdir(value, whole);
      if (subdir !== '' && subdir !== next)
        throw invalid(`git URL ${shown(whole)} names two sub-directories`);
      subdir = next;
    } else if (key === 'checksum' || key === 'commit') checksum = checkedChecksum(value, whole);
    else if (key === 'keep-git-dir') keepGitDir = readBoolean(key, value);
    else if (key === 'submodules') submodules = readBoolean(key, value);
    else throw invalid(`unexpected query ${JSON.stringify(key)} in git URL ${shown(whole)}`);
  }
  return { ref, subdir, checksum, keepGitDir, submodules };
}

/** The name of a reference or a commit id, never an option or an expression (git-check-ref-format). */
function checkedRef(ref: string, whole: string): string {
  const bad =
    /[\0-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|^[-/.]|[/.]$|\/\.|\.lock(?:\/|$)/.test(ref) ||
    ref === '@' ||
    ref.length > 255;
  if (bad || ref === '') throw invalid(`invalid reference ${JSON.stringify(ref)} in git URL ${shown(whole)}`);
  return ref;
}

function checkedChecksum(value: string, whole: string): string {
  if (/^[0-9a-fA-F]{7,64}$/.test(value)) return value.toLowerCase();
  throw invalid(`invalid commit ${JSON.stringify(value)} in git URL ${shown(whole)}`);
}

/** "a/./b/" is "a/b"; what climbs out of the repository is refused (CVE-2026-33748). */
function normalSubdir(subdir: string, whole: string): string {
  const normal = posix.normalize(subdir.replace(/^\/+/, '')).replace(/\/$/, '');
  if (normal === '.' || normal === '') return '';
  if (normal === '..' || normal.startsWith('../') || normal.includes('\0')) {
    throw invalid(
      `invalid sub-directory ${JSON.stringify(subdir)} in git URL ${shown(whole)}: it is outside of the repository`,
    );
  }
  return normal;
}

function readBoolean(key: string, value: string): boolean {
  if (['', '1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
  throw invalid(`invalid boolean value for ${key}: ${JSON.stringify(value)}`);
}

function relativeTo(remote: string, url: string): string {
  let base = remote.replace(/\/+$/, '');
  let rest = url;
  for (;;) {
    if (rest.startsWith('./')) rest = rest.slice(2);
    else if (rest.startsWith('../')) {
      rest = rest.slice(3);
      const cut = Math.max(base.lastIndexOf('/'), base.includes('://') ? -1 : base.lastIndexOf(':'));
      const floor = base.includes('://') ? base.indexOf('/', base.indexOf('://') + 3) : 0;
      if (cut < floor || cut < 0) throw invalid(`git submodule ${shown(url)} leads out of ${shown(remote)}`);
      base = base[cut] === ':' ? base.slice(0, cut + 1) : base.slice(0, cut);
    } else break;
  }
  return base.endsWith(':') ? `${base}${rest}` : `${base}/${rest}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** For messages: without a password. */
function shown(text: string): string {
  return JSON.stringify(text.slice(0, 300).replace(/\/\/[^/@]*@/, '//xxxxx@'));
}
