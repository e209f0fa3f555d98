import type { IncomingMessage } from 'node:http';
import { internal, invalid } from '#/base/errors.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import { drain } from './body.ts';
import { RegistryError } from './failures.ts';
import { canPass, Tries } from './retry.ts';
import type { Route, Send } from './route.ts';

/** What is uploaded, and for whom. */
interface UploadSource {
  readonly descriptor: Descriptor;
  readonly open: (start: number) => AsyncIterable<Uint8Array>;
  readonly onProgress?: ((bytes: number) => void) | undefined;
  readonly signal: AbortSignal;
}

/** An upload that the registry has begun. */
interface Session {
  readonly location: URL | string;
  /** Bytes that the registry has. */
  readonly offset: number;
}

/**
 * Brings one blob to a registry (distribution-spec, "Pushing blobs"): one PATCH with all of it, as Docker does, since some
 * registries know no more than that; after a break the registry is asked how far it came, and the rest follows.
 */
export class BlobUpload {
  readonly #route: Route;
  readonly #source: UploadSource;
  /** A session that a refused mount has opened. */
  #session: Session | undefined;
  /** How far it came is not known. */
  #isBroken = false;

  constructor(route: Route, source: UploadSource) {
    this.#route = route;
    this.#source = source;
  }

  /** Takes the blob from another repository of the registry; false if that cannot be. */
  async mount(from: string): Promise<boolean> {
    const { descriptor, signal } = this.#source;
    const query = new URLSearchParams({ mount: descriptor.digest, from });
    try {
      return await this.#route.own(signal, async (send) => {
        const scopes = [`repository:${from}:pull`];
        const response = await send({
          method: 'POST',
          path: `blobs/uploads/?${query.toString()}`,
          headers: noBody,
          scopes,
        });
        await drain(response);
        if (response.statusCode === 201) return true;
        this.#session ??= sessionOf(response, 0);
        return false;
      });
    } catch (error) {
      // No right to read the other repository is no reason not to push to this one.
      if (error instanceof RegistryError && !error.isPassing) return false;
      throw error;
    }
  }

  /** Uploads the blob, as often as something arrives or the number of attempts allows. */
  async run(): Promise<void> {
    const { signal } = this.#source;
    const { attempts, delay } = this.#route;
    const tries = new Tries({ attempts, delay, signal });
    let best = 0;
    for (;;) {
      try {
        await this.#route.once(signal, (send) => this.#proceed(send));
        return;
      } catch (error) {
        signal.throwIfAborted();
        const reached = this.#session?.offset ?? 0;
        if (reached > best) tries.restart();
        best = Math.max(best, reached);
        if (!this.#canGoOn(error)) throw error;
        this.#isBroken = true;
        await tries.again(error);
      }
    }
  }

  /** Besides what passes by itself: during a long upload its token can run out, and the registry can forget the upload. */
  #canGoOn(error: unknown): boolean {
    if (canPass(error)) return true;
    const isKnown = error instanceof RegistryError && [401, 404, 416].includes(error.status);
    return isKnown && this.#session !== undefined;
  }

  async #proceed(send: Send): Promise<void> {
    const { descriptor } = this.#source;
    if (this.#isBroken) {
      if (await this.#locate(send)) return;
      this.#isBroken = false;
    }
    this.#session ??= await begin(send);
    if (this.#session.offset < descriptor.size) await this.#patch(send, this.#session);
    const { location } = this.#session;
    const url = new URL(location, placeholder);
    url.searchParams.set('digest', descriptor.digest);
    const path = typeof location === 'string' ? `${url.pathname}${url.search}` : url;
    await drain(await send({ method: 'PUT', path, headers: { ...noBody, 'content-type': octets } }));
  }

  async #patch(send: Send, { location, offset }: Session): Promise<void> {
    const { descriptor } = this.#source;
    const headers = {
      'content-type': octets,
      'content-length': String(descriptor.size - offset),
      // Registries that know only whole blobs do not want to hear of ranges.
      ...(offset > 0 && { 'content-range': `${offset}-${descriptor.size - 1}` }),
    };
    const stream = (): AsyncIterable<Uint8Array> => counted(this.#source, offset);
    const response = await send({ method: 'PATCH', path: location, headers, stream });
    await drain(response);
    this.#session = { location: locationOf(response, location) ?? location, offset: descriptor.size };
  }

  /**
   * Asks how far a broken upload came; if the registry does not know it any more, all begins anew. True: nothing is missing,
   * only the registry's word for it was lost.
   */
  async #locate(send: Send): Promise<boolean> {
    const session = this.#session;
    if (session !== undefined) {
      try {
        const response = await send({ method: 'GET', path: session.location });
        await drain(response);
        const offset = received(response);
        const location = locationOf(response, session.location) ?? session.location;
        // Of an upload without a byte, which looks like one with a single byte, there is nothing to go on with.
        this.#session = offset === 0 ? undefined : { location, offset };
        return false;
      } catch (error) {
        if (!(error instanceof RegistryError) || error.isPassing) throw error;
        this.#session = undefined;
      }
    }
    const { digest } = this.#source.descriptor;
    const response = await send({ method: 'HEAD', path: `blobs/${digest}`, accept: [404] });
    await drain(response);
    return response.statusCode !== 404;
  }
}

const octets = 'application/octet-stream';
const noBody = { 'content-length': '0' };
const placeholder = 'http://registry.invalid';

async function begin(send: Send): Promise<Session> {
  const response = await send({ method: 'POST', path: 'blobs/uploads/', headers: noBody });
  await drain(response);
  return sessionOf(response, 0);
}

function sessionOf(response: IncomingMessage, offset: number): Session {
  const location = locationOf(response, '/');
  if (location === undefined) throw invalid('the registry does not say where to upload to');
  return { location, offset };
}

/** Where to go on, seen from where the answer came from: complete, or a path from the root of the registry. */
function locationOf({ headers }: IncomingMessage, from: URL | string): URL | string | undefined {
  const { location } = headers;
  const base = new URL(from, placeholder);
  if (location === undefined || !URL.canParse(location, base)) return undefined;
  const found = new URL(location, base);
  return found.origin === placeholder ? `${found.pathname}${found.search}` : found;
}

/** `0-99` means that 100 bytes are there; `0-0` is what registries say of none. */
function received({ headers }: IncomingMessage): number {
  const match = /^(?:bytes=)?0-(\d{1,15})$/.exec(headers['range'] ?? '');
  const last = Number(match?.[1] ?? 0);
  return last === 0 ? 0 : last + 1;
}

/** The source's bytes, which must be as many as were promised: a request with fewer would never end. */
async function* counted(
  { descriptor: { digest, size }, open, onProgress }: UploadSource,
  offset: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let count = offset;
  for await (const chunk of open(offset)) {
    if (count + chunk.length > size) break;
    yield chunk;
    count += chunk.length;
    onProgress?.(count);
  }
  if (count !== size) throw internal(`blob ${digest} does not have the ${size} bytes of its descriptor here`);
}
