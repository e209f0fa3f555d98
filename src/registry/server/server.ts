import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { TlsOptions } from 'node:tls';
import type { Logger } from '#/base/log.ts';
import type { Access } from './access.ts';
import { Call, type Handler } from './call.ts';
import { errorBody, failureOf, methodUnsupported, pageUnknown, type RegistryError } from './errors.ts';
import { handleBlob } from './handlers/blobs.ts';
import { handleCatalog, handleReferrers, handleTags } from './handlers/listings.ts';
import { handleManifest } from './handlers/manifests.ts';
import { handleUpload, handleUploads } from './handlers/uploads.ts';
import { checkRepository } from './names.ts';
import { type Place, placeOf } from './router.ts';
import type { Services } from './services.ts';

/** Tokens are long; Node's 16 KiB can be too little. */
const maxHeaderSize = 64 * 1024;
const headersTimeout = 60_000;
/** Longer than clients keep idle connections, so that they close them, not we in the moment of a new request. */
const keepAliveTimeout = 180_000;
/** A connection on which nothing moves for so long is cut: neither a body comes nor is an answer taken. Milliseconds. */
const idleTimeout = 120_000;
const maxConnections = 8192;
/** Bytes of a refused body that are read and thrown away, so that the client gets to read the answer; then it is cut off. */
const maxWasted = 4 * 1024 * 1024;

/** A place beside the distribution API: health, metrics, search, administration. */
export interface ExtraRoute {
  /** Exact path. */
  readonly path: string;
  /** By method; GET serves HEAD too. Each asks for the rights that it needs. */
  readonly methods: Readonly<Record<string, Handler>>;
}

/** What a registry server is made of. */
export interface RegistryServerOptions {
  readonly services: Services;
  readonly access: Access;
  readonly log: Logger;
  readonly routes?: readonly ExtraRoute[];
  /** Called with every call before it is looked at; throws to refuse it (rate limits, draining). */
  readonly admit?: (call: Call) => void;
  /**
   * Called before a place is served: makes sure that what is asked for is here. Returns the place to serve, undefined if the
   * call was answered.
   */
  readonly prepare?: (call: Call, place: Place) => Promise<Place | undefined>;
}

/** Serves the OCI distribution API on any number of listeners. */
export class RegistryServer {
  readonly #services: Services;
  readonly #access: Access;
  readonly #log: Logger;
  readonly #routes: ReadonlyMap<string, ExtraRoute>;
  readonly #admit: (call: Call) => void;
  readonly #prepare: ((call: Call, place: Place) => Promise<Place | undefined>) | undefined;
  readonly #servers = new Set<Server>();
  readonly #sockets = new Set<Socket>();
  readonly #calls = new Set<Call>();
  #isClosing = false;

  constructor({
    services,
    access,
    log,
    routes = [],
    admit = () => undefined,
    prepare,
  }: RegistryServerOptions) {
    this.#services = services;
    this.#access = access;
    this.#log = log;
    this.#routes = new Map(routes.map((route) => [route.path, route]));
    this.#admit = admit;
    this.#prepare = prepare;
  }

  /** A server that the caller makes listen. */
  door({ tls }: { readonly tls?: TlsOptions } = {}): Server {
    const options = {
      maxHeaderSize,
      headersTimeout,
      // Uploads take as long as they take, as long as something moves.
      requestTimeout: 0,
      keepAliveTimeout,
      keepAlive: true,
      noDelay: true,
    };
    const server = tls === undefined ? createServer(options) : createTlsServer({ ...options, ...tls });
    server.maxConnections = maxConnections;
    server.setTimeout(idleTimeout);
    server.on('timeout', (socket: Socket) => {
      if (!this.#isAtWorkFor(socket)) socket.destroy();
    });
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    const handle = (request: IncomingMessage, response: ServerResponse): void => {
      this.#answer(request, response).catch((error: unknown) => {
        // Whatever is wrong with one request must not end the registry.
        this.#log.error('cannot answer a request', {
          method: request.method,
          path: request.url?.split('?')[0],
          error,
        });
        response.destroy();
      });
    };
    server.on('request', handle);
    server.on('checkContinue', handle);
    this.#servers.add(server);
    return server;
  }

  /** Stops: no new connections; returns when every request was answered, or after `grace` milliseconds, when the rest is cut. */
  async close(grace: number): Promise<void> {
    this.#isClosing = true;
    for (const server of this.#servers) {
      server.close();
      server.closeIdleConnections();
    }
    const deadline = Date.now() + grace;
    while (this.#calls.size > 0 && Date.now() < deadline) await delay(10);
    for (const call of this.#calls) call.abort(new Error('the registry is being stopped'));
    for (const socket of this.#sockets) socket.destroy();
    // What was cut off still puts its state in order.
    while (this.#calls.size > 0) await delay(10);
  }

  /** Tells whether a client waits for us and not we for it: for the disk to have a large blob, for a garbage collection. */
  #isAtWorkFor(socket: Socket): boolean {
    return [...this.#calls].some(
      ({ request, response }) => request.socket === socket && request.complete && !response.headersSent,
    );
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const began = performance.now();
    const url = (request.url ?? '/').replace(/^https?:\/\/[^/]*/, '');
    const queryStart = url.indexOf('?');
    const path = queryStart < 0 ? url : url.slice(0, queryStart);
    const query = new URLSearchParams(queryStart < 0 ? '' : url.slice(queryStart + 1));
    const call = new Call({ request, response, path, query, access: this.#access, log: this.#log });
    const place = placeOf(path);
    response.setHeader('Docker-Distribution-Api-Version', 'registry/2.0');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    if (this.#isClosing) response.setHeader('Connection', 'close');
    this.#observe(call, place, began);
    this.#calls.add(call);
    try {
      this.#admit(call);
      await call.identify();
      if ('repository' in place) checkRepository(place.repository);
      const prepared = this.#prepare === undefined ? place : await this.#prepare(call, place);
      if (prepared !== undefined) await this.#dispatch(call, prepared);
    } catch (error) {
      this.#failed(call, error);
    } finally {
      this.#calls.delete(call);
    }
  }

  #dispatch(call: Call, place: Place): Promise<void> {
    switch (place.kind) {
      case 'manifest':
        return handleManifest(this.#services, call, place);
      case 'blob':
        return handleBlob(this.#services, call, place);
      case 'uploads':
        return handleUploads(this.#services, call, place.repository);
      case 'upload':
        return handleUpload(this.#services, call, place);
      case 'tags':
        return handleTags(this.#services, call, place.repository);
      case 'referrers':
        return handleReferrers(this.#services, call, place);
      case 'catalog':
        return handleCatalog(this.#services, call);
      case 'base':
        return handleBase(call);
      case 'none':
        return this.#extra(call);
    }
  }

  async #extra(call: Call): Promise<void> {
    const route = this.#routes.get(call.path);
    if (route === undefined) throw pageUnknown(call.path);
    const handler = route.methods[call.method] ?? (call.method === 'HEAD' ? route.methods['GET'] : undefined);
    if (handler === undefined) throw methodUnsupported(call.method, Object.keys(route.methods));
    await handler(call);
  }

  #failed(call: Call, error: unknown): void {
    const { request, response } = call;
    // Not the socket of the response: it has none while the answer before it, on the same connection, is being sent.
    const hasGone = call.signal.aborted || request.socket.destroyed;
    const failure = failureOf(error);
    const fields = { method: call.method, path: call.path };
    if (failure.isBug && !hasGone) this.#log.error('a request failed', { ...fields, error });
    else
      this.#log.debug('a request was refused', {
        ...fields,
        status: failure.error.status,
        reason: failure.error.message,
      });
    if (hasGone) return;
    // Once the answer has begun, only a cut connection can tell that it is not complete.
    if (response.headersSent) response.destroy();
    else refuse(request, response, failure.error);
  }

  #observe(call: Call, place: Place, began: number): void {
    const { request, response } = call;
    const { socket } = request;
    const [readBefore, writtenBefore] = [socket.bytesRead, socket.bytesWritten];
    const { remote } = call.actor;
    response.once('close', () => {
      this.#services.observer.observe({
        kind: 'request',
        method: call.method,
        path: call.path,
        place: place.kind,
        repository: 'repository' in place ? place.repository : undefined,
        status: response.statusCode,
        complete: response.writableFinished,
        duration: performance.now() - began,
        received: socket.bytesRead - readBefore,
        sent: socket.bytesWritten - writtenBefore,
        actor: { ...call.actor, remote },
      });
    });
  }
}

async function handleBase(call: Call): Promise<void> {
  if (call.method !== 'GET' && call.method !== 'HEAD') throw methodUnsupported(call.method, ['GET', 'HEAD']);
  call.require('ping');
  call.json({});
}

/** Answers with an error. A body that still comes is read for a while, because a client that is cut off reads no answer. */
function refuse(request: IncomingMessage, response: ServerResponse, error: RegistryError): void {
  const hasBody = error.status !== 304;
  const bytes = errorBody(error);
  const isSending = !request.complete && request.headers.expect === undefined;
  response.writeHead(error.status, {
    ...error.headers,
    ...(hasBody ? { 'Content-Type': 'application/json', 'Content-Length': bytes.length } : {}),
    ...(request.complete ? {} : { Connection: 'close' }),
  });
  if (request.method !== 'HEAD' && hasBody) response.write(bytes);
  if (!isSending) {
    response.end();
    return;
  }
  let wasted = 0;
  const end = (): void => {
    response.end();
  };
  request.on('data', (chunk: Buffer) => {
    wasted += chunk.length;
    if (wasted > maxWasted) end();
  });
  // Reading by iteration has left it paused.
  request.once('end', end).once('close', end).resume();
}
