import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { invalid, isKind, tooLarge } from '#/base/errors.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import { algorithmOf, type Digest, isDigest, parseDigest } from '#/oci/digest.ts';
import { parseJson } from '#/oci/json.ts';
import { maxManifestBytes } from '#/oci/manifest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { BlobUpload } from './blob-upload.ts';
import { drain, nameOf, readBody } from './body.ts';
import type { Connection } from './connection.ts';
import { type DownloadOptions, downloadBlob, type OpenedBlob, openBlob } from './download.ts';
import { RegistryError } from './failures.ts';
import { listPages, nextLink } from './pages.ts';
import { maxReferrers, type Referrer, type ReferrersPage, referrersIn } from './referrers.ts';
import type { Route } from './route.ts';

/** A manifest or index as it came, checked against its digest. */
export interface FetchedManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

/** How to push a blob. */
export interface PushBlobOptions {
  /** Paths of repositories of the same registry that may have it. */
  readonly mountFrom?: readonly string[] | undefined;
  /** Called with the one of `mountFrom` that had it. */
  readonly onMounted?: ((path: string) => void) | undefined;
  /** Called with how many bytes are there. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
  readonly signal: AbortSignal;
}

/** What a request for a manifest accepts unless it says otherwise. */
const manifestTypes: readonly string[] = [
  mediaTypes.index,
  mediaTypes.manifest,
  mediaTypes.dockerIndex,
  mediaTypes.dockerManifest,
];

interface Cancel {
  readonly signal: AbortSignal;
}

/** One repository of a registry as one person (distribution-spec 1.1). Every method throws RegistryError or `unavailable`. */
export class Repository {
  readonly #route: Route;
  /** The mirrors that brought parts of blobs. */
  readonly #mirrors = new Map<Digest, Set<Connection>>();

  constructor(route: Route) {
    this.#route = route;
  }

  /**
   * The manifest or index that a tag or digest names. Its bytes have the digest of the descriptor, which is the one asked for
   * if that was one. Throws `notFound`, `invalid` for other bytes than announced, `tooLarge`.
   */
  async manifest(
    ref: string,
    { accept = manifestTypes, signal }: Cancel & { accept?: readonly string[] },
  ): Promise<FetchedManifest> {
    return this.#route.get(signal, async (send, mirror) => {
      const response = await send({
        method: 'GET',
        path: `manifests/${ref}`,
        headers: { accept: accept.join(', ') },
      });
      const bytes = await readBody(response, { maxBytes: maxManifestBytes });
      const announced = digestHeader(response);
      const wanted = isDigest(ref) ? parseDigest(ref) : announced;
      const digest = hashOf(bytes, wanted);
      if (wanted !== undefined && digest !== wanted) {
        throw invalid(
          `manifest verification failed for digest ${wanted}: the registry sent content with digest ${digest}`,
        );
      }
      const mediaType = announcedType(response) ?? statedType(bytes);
      // What a registry has that we cannot use is told; a mirror that has it, or a page for people, is passed over.
      if (mirror !== undefined && !accept.includes(mediaType)) {
        throw invalid(`${nameOf(response)}: the mirror sent ${JSON.stringify(mediaType)}`);
      }
      return { descriptor: { mediaType, digest, size: bytes.length }, bytes };
    });
  }

  /** What a tag or digest names, without its content; undefined if there is no such thing. */
  async head(ref: string, { signal }: Cancel): Promise<Descriptor | undefined> {
    return this.#route.get(signal, async (send) => {
      const response = await send({
        method: 'HEAD',
        path: `manifests/${ref}`,
        headers: { accept: manifestTypes.join(', ') },
        accept: [404],
      });
      await drain(response);
      if (response.statusCode === 404) return undefined;
      const size = lengthHeader(response);
      const digest = digestHeader(response) ?? (isDigest(ref) ? parseDigest(ref) : undefined);
      // A registry may leave these out; then only the content itself tells.
      const mediaType = announcedType(response);
      if (digest === undefined || size === undefined || mediaType === undefined)
        return (await this.manifest(ref, { signal })).descriptor;
      return { mediaType, digest, size };
    });
  }

  /** A blob from byte `start`, in one try and unchecked. `start` in the answer is where it really begins. */
  blob(digest: Digest, { start = 0, signal }: Cancel & { start?: number }): Promise<OpenedBlob> {
    return this.#route.get(signal, (send) => openBlob(send, digest, start));
  }

  /**
   * The bytes of a blob from `start` on. When the connection breaks it goes on where it was, as often as something came or as
   * the registry's number of attempts allows. The number of bytes is checked; the digest is for the caller to check, who tells
   * `disown` of a wrong one.
   */
  download(
    descriptor: Descriptor,
    options: Omit<DownloadOptions, 'onMirror'>,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { digest } = descriptor;
    const onMirror = (mirror: Connection): void => {
      this.#mirrors.set(digest, (this.#mirrors.get(digest) ?? new Set()).add(mirror));
    };
    return downloadBlob(this.#route, descriptor, { ...options, onMirror });
  }

  /**
   * What was downloaded as this blob is something else. True: mirrors brought it, which are not asked any more, so that another
   * download will bring something else.
   */
  disown(digest: Digest): boolean {
    const guilty = this.#mirrors.get(digest);
    this.#mirrors.delete(digest);
    for (const mirror of guilty ?? []) this.#route.passOver(mirror);
    return guilty !== undefined;
  }

  /** Bytes of a blob, if the repository has it. */
  async hasBlob(digest: Digest, { signal }: Cancel): Promise<number | undefined> {
    return this.#route.own(signal, async (send) => {
      const response = await send({ method: 'HEAD', path: `blobs/${digest}`, accept: [404] });
      await drain(response);
      return response.statusCode === 404 ? undefined : (lengthHeader(response) ?? 0);
    });
  }

  /**
   * Brings a blob into the repository: it is there, or is taken from another repository, or is uploaded. `open` gives its bytes
   * from an offset on; it is called again when an upload is resumed.
   */
  async pushBlob(
    descriptor: Descriptor,
    open: (start: number) => AsyncIterable<Uint8Array>,
    options: PushBlobOptions,
  ): Promise<'exists' | 'mounted' | 'uploaded'> {
    if (await this.#mayHaveBlob(descriptor.digest, options)) return 'exists';
    const upload = new BlobUpload(this.#route, { descriptor, open, ...options });
    for (const path of options.mountFrom ?? []) {
      if (!(await upload.mount(path))) continue;
      options.onMounted?.(path);
      return 'mounted';
    }
    await upload.run();
    return 'uploaded';
  }

  /** A registry that refuses to tell gets the blob: the answer to that has its reasons, which one to HEAD cannot have. */
  async #mayHaveBlob(digest: Digest, options: Cancel): Promise<boolean> {
    try {
      return (await this.hasBlob(digest, options)) !== undefined;
    } catch (error) {
      if (!(error instanceof RegistryError) || error.isPassing || error.status === 401) throw error;
      return false;
    }
  }

  /** Stores a manifest under a tag or its digest. */
  async putManifest(
    ref: string,
    { mediaType, bytes }: { mediaType: string; bytes: Uint8Array },
    { signal }: Cancel,
  ): Promise<Digest> {
    return this.#route.own(signal, async (send) => {
      const headers = { 'content-type': mediaType, 'content-length': String(bytes.length) };
      const response = await send({ method: 'PUT', path: `manifests/${ref}`, headers, body: bytes });
      await drain(response);
      const digest = hashOf(bytes, isDigest(ref) ? parseDigest(ref) : undefined);
      const stored = digestHeader(response);
      if (stored !== undefined && algorithmOf(stored) === algorithmOf(digest) && stored !== digest) {
        throw invalid(`the registry stored the manifest as ${stored} instead of ${digest}`);
      }
      return digest;
    });
  }

  /** All tags, in the registry's order. */
  async *tags({ signal }: Cancel): AsyncGenerator<string, void, undefined> {
    yield* listPages(this.#route, { path: 'tags/list?n=1000', member: 'tags', signal });
  }

  /** What refers to a manifest as its subject. Registries without that API keep an index under a tag made of the digest. */
  async referrers(
    digest: Digest,
    { artifactType, signal }: Cancel & { artifactType?: string },
  ): Promise<Descriptor[]> {
    const query = artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`;
    const found: Referrer[] = [];
    const asked = new Set<string>();
    let next: string | undefined = `referrers/${digest}${query}`;
    while (next !== undefined && !asked.has(next)) {
      asked.add(next);
      const page: ReferrersPage | undefined = await this.#referrersPage(next, signal);
      found.push(...(page?.referrers ?? (await this.#taggedReferrers(digest, signal))));
      if (found.length > maxReferrers) throw tooLarge(`${digest} has more than ${maxReferrers} referrers`);
      next = page?.link;
    }
    return found
      .filter(({ type }) => artifactType === undefined || type === artifactType)
      .map(({ descriptor }) => descriptor);
  }

  /** Undefined if the registry does not have that API. */
  async #referrersPage(path: string, signal: AbortSignal): Promise<ReferrersPage | undefined> {
    return this.#route.get(signal, async (send) => {
      const headers = { accept: mediaTypes.index };
      const response = await send({ method: 'GET', path, headers, accept: [404] });
      if (response.statusCode === 404) {
        await drain(response);
        return undefined;
      }
      const bytes = await readBody(response, { maxBytes: maxManifestBytes });
      return { referrers: referrersIn(bytes), link: nextLink(response, path) };
    });
  }

  /** Removes a tag or, by digest, a manifest with all its tags. */
  async deleteManifest(ref: string, { signal }: Cancel): Promise<void> {
    await this.#delete(`manifests/${ref}`, signal);
  }

  async deleteBlob(digest: Digest, { signal }: Cancel): Promise<void> {
    await this.#delete(`blobs/${digest}`, signal);
  }

  async #delete(path: string, signal: AbortSignal): Promise<void> {
    await this.#route.own(signal, async (send) => drain(await send({ method: 'DELETE', path })));
  }

  async #taggedReferrers(digest: Digest, signal: AbortSignal): Promise<Referrer[]> {
    try {
      const tag = digest.replace(':', '-');
      return referrersIn((await this.manifest(tag, { accept: [mediaTypes.index], signal })).bytes);
    } catch (error) {
      if (isKind(error, 'notFound')) return [];
      throw error;
    }
  }
}

function hashOf(bytes: Uint8Array, like: Digest | undefined): Digest {
  const algorithm = like === undefined ? 'sha256' : algorithmOf(like);
  return parseDigest(`${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`);
}

function digestHeader({ headers }: IncomingMessage): Digest | undefined {
  const text = headers['docker-content-digest'];
  return typeof text === 'string' && isDigest(text) ? text : undefined;
}

function lengthHeader({ headers }: IncomingMessage): number | undefined {
  const text = headers['content-length'] ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** What the registry announces, unless that is nothing of use. */
function announcedType({ headers }: IncomingMessage): string | undefined {
  const announced = (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  return vagueTypes.has(announced) ? undefined : announced;
}

const vagueTypes: ReadonlySet<string> = new Set([
  '',
  'application/json',
  'text/plain',
  'application/octet-stream',
]);

/** What a document says of itself. Only Docker's schema 1, which nobody can use, may say nothing but its version. */
function statedType(bytes: Buffer): string {
  const document = parseJson(bytes, { what: 'manifest', maxBytes: maxManifestBytes });
  const stated = document.get('mediaType').optional((field) => field.string());
  if (stated !== undefined) return stated;
  if (document.get('schemaVersion').optional((field) => field.integer()) === 1) return schema1;
  throw invalid('the registry does not say what kind of manifest it sends');
}

const schema1 = 'application/vnd.docker.distribution.manifest.v1+json';
