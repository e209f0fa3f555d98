import { createHash, randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { invalid, tooLarge, unavailable } from '#/base/errors.ts';
import { KeyedLocks } from '#/base/locks.ts';
import { loadCertificates } from '#/distribution/certificates.ts';
import { basicAuthorization } from '#/distribution/credentials.ts';
import type { Proxies } from '#/distribution/proxies.ts';
import { requestName, shownUrl } from '#/distribution/shown-url.ts';
import { type Patience, Transport } from '#/distribution/transport.ts';
import { algorithmOf, type Digest, parseDigest } from '#/oci/digest.ts';
import type { FileKeeper, KeptFiles } from '../../cache/kept-files.ts';
import type { StatusSink } from '../../progress.ts';
import { factsFile, type Remembered, remember, remembered } from './facts-file.ts';
import { nameFromUrl } from './file-name.ts';

/** One file to get. */
export interface HttpRequest {
  readonly url: URL;
  /** What the content must be. Then a file that is here is taken without asking anybody. */
  readonly checksum?: Digest | undefined;
  /** Bytes; default 16 GiB. */
  readonly maxBytes?: number;
  readonly signal: AbortSignal;
  readonly progress?: StatusSink;
}

/** A file that was got, until it is disposed of. */
export interface HttpFile extends AsyncDisposable {
  /** Where it is: readable, not to be changed. */
  readonly path: string;
  /** One component, by the server's word or the URL. */
  readonly name: string;
  /** Of the content, in SHA-256 or the algorithm of the checksum. */
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** When the server says that it was last changed, else the epoch; the file has this time too. */
  readonly modified: Date;
}

interface Received {
  readonly response: IncomingMessage;
  readonly url: URL;
}

const defaultMaxBytes = 16 * 2 ** 30;
const maxRedirects = 10;
const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Files from the web as sources of a build. Each is kept below the data root, and asked for again under the condition that it
 * has changed. Certificates are always verified; credentials go to the host that the URL names only.
 */
export class HttpSource implements Disposable, FileKeeper {
  readonly #root: string;
  readonly #userAgent: string;
  readonly #transport: Transport;
  readonly #locks = new KeyedLocks();

  private constructor(parts: { root: string; proxies: Proxies; userAgent: string; patience?: Patience }) {
    this.#root = parts.root;
    this.#userAgent = parts.userAgent;
    this.#transport = new Transport(parts.proxies, parts.patience);
  }

  /** Opens or creates the cache in the directory `root`; what a daemon that died was getting goes. */
  static async open(parts: {
    root: string;
    proxies: Proxies;
    userAgent: string;
    patience?: Patience;
  }): Promise<HttpSource> {
    await mkdir(join(parts.root, 'files'), { recursive: true, mode: 0o700 });
    await rm(join(parts.root, 'open'), { recursive: true, force: true });
    await mkdir(join(parts.root, 'open'), { mode: 0o700 });
    for (const name of await readdir(join(parts.root, 'files'))) {
      const folder = join(parts.root, 'files', name);
      if ((await remembered(folder)) === undefined) await rm(folder, { recursive: true, force: true });
    }
    return new HttpSource(parts);
  }

  /** The file. Throws `invalid` for another content than `checksum`, `tooLarge`, `unavailable` for no or another answer than 2xx. */
  async get(request: HttpRequest): Promise<HttpFile> {
    const { url, checksum, signal } = request;
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      throw invalid(`cannot get "${shownUrl(url)}": not http or https`);
    const algorithm = checksum === undefined ? 'sha256' : algorithmOf(checksum);
    const key = createHash('sha256').update(`${algorithm} ${url.href}`).digest('hex');
    using _alone = await this.#locks.acquireUnless(key, signal);
    const folder = join(this.#root, 'files', key);
    const known = await remembered(folder);
    if (known !== undefined && checksum !== undefined && known.digest === checksum)
      return await this.#opened(folder, known);
    const received = await this.#ask(request, known);
    if (received.response.statusCode === 304 && known !== undefined) {
      received.response.destroy();
      requireChecksum(request, known.digest);
      return await this.#opened(folder, known);
    }
    const file = await this.#receive(request, received, algorithm);
    try {
      requireChecksum(request, file.facts.digest);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      // Without its facts, content is nothing: they come last.
      await rm(join(folder, factsFile), { force: true });
      await rename(file.path, join(folder, 'content'));
      await remember(folder, file.facts);
    } finally {
      await rm(file.path, { force: true });
    }
    return await this.#opened(folder, file.facts);
  }

  /** The files that are kept. */
  async kept(): Promise<KeptFiles[]> {
    const found: KeptFiles[] = [];
    for (const id of await readdir(join(this.#root, 'files'))) {
      const folder = join(this.#root, 'files', id);
      const facts = await remembered(folder);
      if (facts === undefined) continue;
      const { birthtime, mtime } = await stat(join(folder, factsFile));
      const inUse = this.#locks.isHeld(id);
      const description = `http url ${facts.url}`;
      found.push({
        id,
        kind: 'regular',
        description,
        inUse,
        size: facts.size,
        created: birthtime,
        used: mtime,
      });
    }
    return found;
  }

  /** Removes a file. Whoever works with it keeps it until it is disposed of. */
  async forget(id: string): Promise<boolean> {
    if (this.#locks.isHeld(id) || !/^[0-9a-f]{64}$/.test(id)) return false;
    using _alone = await this.#locks.acquire(id);
    await rm(join(this.#root, 'files', id), { recursive: true, force: true });
    return true;
  }

  [Symbol.dispose](): void {
    this.#transport[Symbol.dispose]();
  }

  /** The answer to the request, after redirects: 2xx, or 304 if something is known. */
  async #ask(
    { url: first, checksum, signal }: HttpRequest,
    known: Remembered | undefined,
  ): Promise<Received> {
    let url = first;
    for (let hops = 0; hops <= maxRedirects; hops += 1) {
      const headers = {
        'user-agent': this.#userAgent,
        'accept-encoding': 'identity',
        ...(url.origin === first.origin && authorizationOf(first)),
        ...(known?.etag !== undefined && { 'if-none-match': known.etag }),
        ...(known?.etag === undefined &&
          known?.lastModified !== undefined && { 'if-modified-since': known.lastModified }),
      };
      const tls = { ...(await loadCertificates(url.host, [])), verify: true };
      const response = await this.#transport.send({
        method: 'GET',
        url: withoutCredentials(url),
        headers,
        tls,
        signal,
      });
      const status = response.statusCode ?? 0;
      if ((status >= 200 && status < 300) || (status === 304 && known !== undefined))
        return { response, url };
      const { location } = response.headers;
      response.destroy();
      const name = requestName('GET', url);
      if (!redirects.has(status) || location === undefined) {
        throw unavailable(`${name}: invalid response status ${status}`);
      }
      const next = URL.canParse(location, url) ? new URL(location, url) : undefined;
      if (next === undefined || (next.protocol !== 'http:' && next.protocol !== 'https:')) {
        throw unavailable(`${name}: the server redirects to what is no URL for http`);
      }
      if (url.protocol === 'https:' && next.protocol === 'http:' && checksum === undefined) {
        const advice = 'name what you expect with --checksum, or use the other URL';
        throw unavailable(
          `${name}: the server redirects to "${shownUrl(next)}", where anybody could change the file; ${advice}`,
        );
      }
      url = next;
    }
    throw unavailable(`${requestName('GET', first)}: stopped after ${maxRedirects} redirects`);
  }

  /** Writes the body to a file of its own. */
  async #receive(
    request: HttpRequest,
    { response, url }: Received,
    algorithm: string,
  ): Promise<{ path: string; facts: Remembered }> {
    const { maxBytes = defaultMaxBytes, progress, signal } = request;
    const { etag, 'last-modified': lastModified } = response.headers;
    const total = Number(response.headers['content-length'] ?? 0);
    const name = requestName('GET', url);
    const path = join(this.#root, 'open', randomUUID());
    const hash = createHash(algorithm);
    const started = new Date();
    const id = `downloading ${shownUrl(request.url)}`;
    let size = 0;
    try {
      if (total > maxBytes)
        throw tooLarge(`${name}: the file has ${total} bytes, more than the ${maxBytes} that are allowed`);
      await using file = await open(path, 'wx', 0o600);
      for await (const chunk of bodyOf(response, name)) {
        size += chunk.length;
        if (size > maxBytes)
          throw tooLarge(`${name}: the file has more than the ${maxBytes} bytes that are allowed`);
        hash.update(chunk);
        await file.writeFile(chunk);
        progress?.({ id, current: size, total, started });
      }
      progress?.({ id, current: size, total: size, started, completed: new Date() });
    } catch (error) {
      await rm(path, { force: true });
      signal.throwIfAborted();
      throw error;
    } finally {
      response.destroy();
    }
    const modified = Date.parse(lastModified ?? '');
    const facts = {
      url: shownUrl(request.url),
      digest: parseDigest(`${algorithm}:${hash.digest('hex')}`),
      size,
      // The Dockerfile counts on this name, whatever the server calls the file.
      name: nameFromUrl(request.url),
      modified: Number.isNaN(modified) ? 0 : modified,
      etag: goodValue(etag),
      lastModified: goodValue(lastModified),
    };
    await utimes(path, facts.modified / 1000, facts.modified / 1000);
    return { path, facts };
  }

  /** A name of its own for the content, which stays whatever becomes of the cache. */
  async #opened(folder: string, { digest, size, name, modified }: Remembered): Promise<HttpFile> {
    const path = join(this.#root, 'open', randomUUID());
    await link(join(folder, 'content'), path);
    const now = new Date();
    await utimes(join(folder, factsFile), now, now);
    const dispose = (): Promise<void> => rm(path, { force: true });
    return { path, name, digest, size, modified: new Date(modified), [Symbol.asyncDispose]: dispose };
  }
}

async function* bodyOf(response: IncomingMessage, name: string): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const chunk of response) yield chunk as Buffer;
  } catch (error) {
    throw unavailable(`${name}: the answer broke off`, error);
  }
}

function requireChecksum({ url, checksum }: HttpRequest, digest: Digest): void {
  if (checksum === undefined || checksum === digest) return;
  throw invalid(`digest mismatch for "${shownUrl(url)}": got ${digest}, expected: ${checksum}`);
}

function authorizationOf(url: URL): { authorization?: string } {
  if (url.username === '' && url.password === '') return {};
  return {
    authorization: basicAuthorization(decodeURIComponent(url.username), decodeURIComponent(url.password)),
  };
}

function withoutCredentials(url: URL): URL {
  const bare = new URL(url);
  bare.username = '';
  bare.password = '';
  return bare;
}

/** What may be sent back in a header; a longer one only costs the download. */
function goodValue(value: string | undefined): string | undefined {
  return value !== undefined && value.length <= 1024 ? value : undefined;
}
