import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { TlsOptions } from 'node:tls';
import type { Logger } from '#/base/log.ts';
import type { ErrorResponse } from '#/wire/errors.ts';
import { apiVersion, minApiVersion } from '#/wire/version.ts';
import type { Backend } from './backend.ts';
import { Call, type Route } from './call.ts';
import { failureOf } from './errors.ts';
import { refusal } from './guard.ts';
import { endAfterUpload } from './respond.ts';
import { Router } from './router.ts';

/** Filters, registry credentials and build arguments travel in headers and paths; Node's 16 KiB is too little. */
const maxHeaderSize = 256 * 1024;
const headersTimeout = 60_000;
/** Longer than clients keep idle connections, so that they close them, not we in the moment of a new request. */
const keepAliveTimeout = 600_000;
/** For each listener. Beyond it new connections are closed at once. */
const maxConnections = 4096;

/** What the server is made of. */
export interface ApiServerOptions {
  readonly routes: readonly Route[];
  readonly engine: Backend;
  readonly log: Logger;
  /** For the Server header, for example "Skiff/0.1.0 (linux)". */
  readonly product: string;
}

/** How far those who connect are trusted. */
export interface DoorOptions {
  /** Certificates, for TLS. */
  readonly tls?: TlsOptions;
  /** Names that the Host header may have besides addresses; undefined (Unix sockets, verified clients) accepts all. */
  readonly names?: ReadonlySet<string>;
}

/** Serves the Engine API on any number of listeners. */
export class ApiServer {
  readonly #router: Router;
  readonly #engine: Backend;
  readonly #log: Logger;
  readonly #product: string;
  readonly #calls = new Set<Call>();
  readonly #servers = new Set<Server>();
  readonly #sockets = new Set<Socket>();

  constructor({ routes, engine, log, product }: ApiServerOptions) {
    this.#router = new Router(routes);
    this.#engine = engine;
    this.#log = log;
    this.#product = product;
  }

  /** A server that the caller makes listen. */
  door({ tls, names }: DoorOptions = {}): Server {
    const options = {
      maxHeaderSize,
      headersTimeout,
      // Uploads take as long as they take.
      requestTimeout: 0,
      keepAliveTimeout,
      keepAlive: true,
      noDelay: true,
      shouldUpgradeCallback: (request: IncomingMessage) => isHijackable(request.url ?? ''),
    };
    // As for plain connections: a client that has no more stdin closes its half and goes on reading.
    const server =
      tls === undefined
        ? createServer(options)
        : createTlsServer({ ...options, ...tls, allowHalfOpen: true });
    server.maxConnections = maxConnections;
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    const handle = (request: IncomingMessage, response: ServerResponse, upgraded?: Duplex): void => {
      const refused = names === undefined ? undefined : refusal(request, names);
      this.#answer({ request, response, upgraded, refused }).catch((error: unknown) => {
        // Whatever is wrong with one request must not end the daemon.
        this.#log.error('cannot answer a request', { path: request.url?.split('?')[0], error });
        response.destroy();
      });
    };
    server.on('request', handle);
    server.on('upgrade', (request, connection, head) => {
      if (head.length > 0) connection.unshift(head);
      handle(request, responseOn(request, connection), connection);
    });
    this.#servers.add(server);
    return server;
  }

  /**
   * Stops: no new connections, idle ones closed, waits and streams aborted. Returns when every request was answered, or
   * after `grace` milliseconds, when the rest is cut off.
   */
  async close(grace: number): Promise<void> {
    for (const server of this.#servers) server.close();
    for (const call of this.#calls) call.abort(new Error('the daemon is shutting down'));
    const deadline = Date.now() + grace;
    while (this.#calls.size > 0 && Date.now() < deadline) await delay(10);
    for (const socket of this.#sockets) socket.destroy();
  }

  async #answer({ request, response, upgraded, refused }: Incoming): Promise<void> {
    response.setHeader('Api-Version', apiVersion);
    response.setHeader('Docker-Experimental', 'false');
    response.setHeader('Ostype', 'linux');
    response.setHeader('Server', this.#product);
    const url = (request.url ?? '/').replace(/^https?:\/\/[^/]*/, '');
    const queryStart = url.indexOf('?');
    const path = queryStart < 0 ? url : url.slice(0, queryStart);
    if (refused !== undefined) {
      this.#log.warn('refused a request', { path, reason: refused });
      return fail(response, 403, refused);
    }
    // Every path can be asked what it offers; there is nothing to say.
    if (request.method === 'OPTIONS') {
      response.writeHead(200, { 'Content-Length': 0 }).end();
      return;
    }
    const match = this.#router.match(request.method ?? 'GET', path);
    switch (match.kind) {
      case 'notFound':
        return fail(response, 404, 'page not found');
      case 'badPath':
        return fail(response, 400, 'the path is not correctly percent-encoded');
      case 'tooNew':
        return fail(
          response,
          400,
          `client version ${match.version} is too new. Maximum supported API version is ${apiVersion}`,
        );
      case 'tooOld':
        return failAsText(
          response,
          `client version ${match.version} is too old. Minimum supported API version is ${minApiVersion}, please upgrade your client to a newer version`,
        );
      case 'found': {
        const queryText = queryStart < 0 ? '' : url.slice(queryStart + 1);
        const { params, version } = match;
        const call = new Call({
          engine: this.#engine,
          log: this.#log,
          request,
          response,
          params,
          queryText,
          version,
          upgraded,
        });
        this.#log.debug('request', { method: request.method, path });
        this.#calls.add(call);
        try {
          await match.handler(call);
        } catch (error) {
          this.#failed(call, error);
        } finally {
          this.#calls.delete(call);
        }
        return;
      }
      default:
        match satisfies never;
    }
  }

  #failed(call: Call, error: unknown): void {
    const { request, response, upgraded } = call;
    // Node takes the socket away from a request whose connection is gone.
    const socket: Socket | null = request.socket;
    const hungUp = socket === null || socket.destroyed || upgraded?.destroyed === true;
    const failure = failureOf(error);
    if (hungUp && (call.signal.aborted || !failure.isBug)) return;
    const fields = { method: request.method, path: request.url?.split('?')[0] };
    if (failure.isBug) this.#log.error('request failed', { ...fields, error });
    else this.#log.debug('request refused', { ...fields, status: failure.status, reason: failure.message });
    // Nothing can be said any more once the answer has begun; a cut connection at least tells that it is not complete.
    if (response.socket === null || response.headersSent) socket?.destroy();
    else fail(response, failure.status, failure.message);
  }
}

interface Incoming {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly upgraded: Duplex | undefined;
  readonly refused: string | undefined;
}

/** Only these take connections over; for all others an Upgrade header means nothing. */
function isHijackable(url: string): boolean {
  return /\/(?:attach|attach\/ws|start|grpc|session|skiff\/build\/stream)(?:\?|$)/.test(url);
}

/** Node makes no response for upgrades, because most of them are not answered in HTTP. Refusals are. */
function responseOn(request: IncomingMessage, connection: Duplex): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  // Any duplex stream will do; only the types say that it must be a socket.
  response.assignSocket(connection as Socket);
  response.once('finish', () => connection.end());
  connection.once('error', () => connection.destroy());
  return response;
}

function fail(response: ServerResponse, status: number, message: string): void {
  const hasBody = status !== 304;
  const body = Buffer.from(hasBody ? `${JSON.stringify({ message } satisfies ErrorResponse)}\n` : '');
  response.writeHead(
    status,
    hasBody ? { 'Content-Type': 'application/json', 'Content-Length': body.length } : {},
  );
  if (hasBody) response.write(body);
  endAfterUpload(response);
}

/** Clients older than the first version with JSON errors print what they get. */
function failAsText(response: ServerResponse, message: string): void {
  response.writeHead(400, {
    'Content-Type': 'text/plain; charset=utf-8',
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(`${message}\n`);
}
