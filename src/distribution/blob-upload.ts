import type { IncomingMessage } from 'node:http';
import { unavailable } from '#/base/errors.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import { drain } from './body.ts';
import { RegistryError } from './failures.ts';
import { canPass, pause } from './retry.ts';
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
        this.#session = sessionOf(response, 0);
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
    for (let failures = 0; ; ) {
      const before = this.#session?.offset ?? 0;
      try {
        await this.#route.once(signal, (send) => this.#proceed(send));
        return;
      } catch (error) {
        signal.throwIfAborted();
        failures = (this.#session?.offset ?? 0) > before ? 1 : failures + 1;
        // A token can run out during a long upload; the next one is asked for by the next request.
        const mayPass =
          canPass(error) || (error instanceof RegistryError && [401, 404, 416].includes(error.status));
        if (!mayPass || failures >= attempts) throw error;
        if (error instanceof RegistryError && error.status === 404) this.#session = undefined;
        await pause(error, failures, { attempts, delay, signal });
        await this.#locate();
      }
    }
  }

  async #proceed(send: Send): Promise<void> {
    const { descriptor } = this.#source;
    this.#session ??= await begin(send);
    if (this.#session.offset < descriptor.size) await this.#patch(send, this.#session);
    const { location } = this.#session;
    const url = new URL(location, placeholder);
    url.searchParams.set('digest', descriptor.digest);
    const path = typeof location === 'string' ? `${url.pathname}${url.search}` : url;
    await drain(await send({ method: 'PUT', path, headers: { ...noBody, 'content-type': octets } }));
  }

  async #patch(send: Send, { location, offset }: Session): Promise<void> {
    const { descriptor, open, onProgress } = this.#source;
    const headers = {
      'content-type': octets,
      'content-length': String(descriptor.size - offset),
      // Registries that know only whole blobs do not want to hear of ranges.
      ...(offset > 0 && { 'content-range': `${offset}-${descriptor.size - 1}` }),
    };
    const stream = (): AsyncIterable<Uint8Array> => counted(open(offset), offset, onProgress);
    const response = await send({ method: 'PATCH', path: location, headers, stream });
    await drain(response);
    this.#session = sessionOf(response, descriptor.size);
  }

  /** Asks how far a broken upload came. If the registry does not know it any more, all begins anew. */
  async #locate(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    try {
      this.#session = await this.#route.once(this.#source.signal, async (send) => {
        const response = await send({ method: 'GET', path: session.location });
        await drain(response);
        return {
          ...sessionOf(response, received(response)),
          location: locationOf(response) ?? session.location,
        };
      });
    } catch (error) {
      this.#source.signal.throwIfAborted();
      if (!(error instanceof RegistryError) && !canPass(error)) throw error;
      this.#session = undefined;
    }
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
  const location = locationOf(response);
  if (location === undefined) throw unavailable('the registry does not say where to upload to');
  return { location, offset };
}

/** Complete, or a path from the root of the host that was asked. */
function locationOf({ headers }: IncomingMessage): URL | string | undefined {
  const { location } = headers;
  if (location === undefined || !URL.canParse(location, placeholder)) return undefined;
  if (/^https?:\/\//i.test(location)) return new URL(location);
  const { pathname, search } = new URL(location, placeholder);
  return `${pathname}${search}`;
}

/** `0-99` means that 100 bytes are there; `0-0` is what registries say of none. */
function received({ headers }: IncomingMessage): number {
  const match = /^(?:bytes=)?0-(\d{1,15})$/.exec(headers['range'] ?? '');
  const last = Number(match?.[1] ?? 0);
  return last === 0 ? 0 : last + 1;
}

async function* counted(
  source: AsyncIterable<Uint8Array>,
  offset: number,
  onProgress: ((bytes: number) => void) | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  let count = offset;
  for await (const chunk of source) {
    yield chunk;
    count += chunk.length;
    onProgress?.(count);
  }
}
