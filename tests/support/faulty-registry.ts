import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, sendAnswer } from './faulty-registry/answer.ts';
import { RegistryContent } from './faulty-registry/content.ts';
import { bend, type Fault, Faults, sendingOf } from './faulty-registry/faults.ts';
import { answerOf, type ReadRequest } from './faulty-registry/protocol.ts';

/** A request as it came. Tests ask these what was sent, and above all what was not. */
export interface SeenRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** What came of the body. */
  readonly body: Buffer;
}

/** What a faulty registry is made of. */
export interface FaultyRegistryOptions {
  /** An address of this machine; default 127.0.0.1. */
  readonly listen?: string;
  /** Serve TLS with these. */
  readonly tls?: Pick<ServerOptions, 'key' | 'cert' | 'ca' | 'requestCert' | 'rejectUnauthorized'>;
  /** The answer to who may not ask; undefined for who may. See `basicAuth` and `TokenService.guard`. */
  readonly guard?: (request: SeenRequest) => Answer | undefined;
  /** To answer anything besides the protocol, before it. */
  readonly handle?: (request: SeenRequest) => Answer | undefined;
}

/** A registry in this process whose content is in memory and whose faults are for tests to choose. */
export interface FaultyRegistry extends AsyncDisposable {
  /** `address:port`. */
  readonly host: string;
  readonly url: string;
  readonly content: RegistryContent;
  readonly faults: Faults;
  /** All requests so far, in order. */
  readonly requests: readonly SeenRequest[];
  /** Those of a method whose path has this part. */
  seen(method: string, path?: string): SeenRequest[];
  /** Connections that are open now. */
  connections(): Promise<number>;
}

/** Starts one on a free port. */
export async function openFaultyRegistry(options: FaultyRegistryOptions = {}): Promise<FaultyRegistry> {
  const { listen = '127.0.0.1', tls, guard, handle } = options;
  const content = new RegistryContent();
  const faults = new Faults();
  const requests: SeenRequest[] = [];
  const listener: RequestListener = (request, response) => {
    // A client that hangs up in the middle is what many tests are about.
    request.on('error', () => {});
    response.on('error', () => {});
    serve(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url: path = '', socket } = request;
    const found = faults.of(method, path);
    const early = found.find((fault) => fault.kind === 'early');
    if (early !== undefined) {
      requests.push({
        method,
        path,
        headers: request.headers as SeenRequest['headers'],
        body: Buffer.alloc(0),
      });
      return void response.writeHead(early.status, { 'content-length': '0' }).end();
    }
    const cut = found.find((fault) => fault.kind === 'cutUpload');
    const body = await readUpTo(request, cut?.after);
    const seen = { method, path, headers: request.headers as SeenRequest['headers'], body };
    requests.push(seen);
    if (found.some(({ kind }) => kind === 'silence')) return;
    if (found.some(({ kind }) => kind === 'reset')) return void socket.resetAndDestroy();
    const refusal = handle?.(seen) ?? guard?.(seen);
    const lost = cut?.lose === true;
    const right = refusal ?? (lost ? { status: 500 } : answerOf(content, asked(seen, found)));
    if (cut !== undefined || found.some(({ kind }) => kind === 'loseAnswer')) {
      return void socket.resetAndDestroy();
    }
    const delay = found.find((fault) => fault.kind === 'slow')?.delay ?? 0;
    if (delay > 0) await sleep(delay);
    await sendAnswer(bend(right, found), { request, response }, sendingOf(found));
  };
  const server = tls === undefined ? createServer(listener) : createSecureServer(tls, listener);
  server.listen(0, listen);
  await once(server, 'listening');
  const host = `${listen}:${(server.address() as AddressInfo).port}`;
  return {
    host,
    url: `${tls === undefined ? 'http' : 'https'}://${host}`,
    content,
    faults,
    requests,
    seen: (method, path = '') =>
      requests.filter((request) => request.method === method && request.path.includes(path)),
    connections: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
      }),
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Lets in who sends this name and password (RFC 7617). */
export function basicAuth(username: string, password: string): (request: SeenRequest) => Answer | undefined {
  const expected = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  return ({ headers }) =>
    headers['authorization'] === expected ? undefined : unauthorized('Basic realm="test"');
}

/** An answer of 401 with a challenge. */
export function unauthorized(challenge: string): Answer {
  return {
    status: 401,
    headers: { 'www-authenticate': challenge, 'content-type': 'application/json' },
    body: JSON.stringify({ errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] }),
  };
}

/** The request as the protocol is to see it. */
function asked({ method, path, headers, body }: SeenRequest, faults: readonly Fault[]): ReadRequest {
  const isIgnored = faults.some(({ kind }) => kind === 'ignoreRange');
  const url = new URL(path, 'http://registry.invalid');
  return { method, url, headers: isIgnored ? { ...headers, range: undefined } : headers, body };
}

/** The body, or its first `bytes`. What was cut off by the client counts as well. */
async function readUpTo(request: IncomingMessage, bytes = Number.POSITIVE_INFINITY): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  if (bytes > 0) {
    try {
      for await (const chunk of request.iterator({ destroyOnReturn: false })) {
        chunks.push(chunk as Buffer);
        size += (chunk as Buffer).length;
        if (size >= bytes) break;
      }
    } catch {
      return Buffer.concat(chunks);
    }
  }
  return Buffer.concat(chunks).subarray(0, bytes);
}
