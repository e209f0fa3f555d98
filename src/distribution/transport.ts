import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import {
  Agent as HttpsAgent,
  type AgentOptions as HttpsAgentOptions,
  request as httpsRequest,
} from 'node:https';
import type { Socket } from 'node:net';
import { pipeline, Readable } from 'node:stream';
import { createSecureContext, type SecureContext } from 'node:tls';
import { EngineError, internal, messageOf } from '#/base/errors.ts';
import { nameAnswer } from './body.ts';
import type { TlsSettings } from './certificates.ts';
import { networkFailure } from './network-failure.ts';
import { type Proxies, proxyFor } from './proxies.ts';
import { requestName } from './shown-url.ts';

/** No answer came: nobody is there, or the connection broke. */
export class NoAnswer extends EngineError {
  /** Who was asked. */
  readonly origin: string;

  constructor(message: string, { origin, cause }: { origin: string; cause: unknown }) {
    super('unavailable', message, { cause });
    this.origin = origin;
  }
}

/** One request. */
export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes, or a stream whose length is in the headers. */
  readonly body?: Uint8Array | AsyncIterable<Uint8Array> | undefined;
  /** For https. */
  readonly tls: TlsSettings;
  /**
   * Called with the address that the connection leads to before anything is sent; throws if nothing shall be. Not called where a
   * proxy makes the connection.
   */
  readonly admit?: ((address: string) => void) | undefined;
  readonly signal: AbortSignal;
}

/** How long is waited, in milliseconds. */
export interface Patience {
  /** Until a connection stands. */
  readonly connect: number;
  /** Without a byte in either direction. */
  readonly idle: number;
}

/** How long a connection is kept that nobody uses, in milliseconds. */
const keepTime = 5_000;
const defaultPatience: Patience = { connect: 30_000, idle: 60_000 };

/** Sends requests over connections that are kept; follows nothing and repeats nothing. */
export class Transport implements Disposable {
  readonly #proxies: Proxies;
  readonly #patience: Patience;
  /** By the URL of the proxy. */
  readonly #plain = new Map<string, HttpAgent>();
  /** By how TLS is done, and the URL of the proxy. */
  readonly #secure = new Map<TlsSettings, Map<string, HttpsAgent>>();

  constructor(proxies: Proxies, patience: Patience = defaultPatience) {
    this.#proxies = proxies;
    this.#patience = patience;
  }

  /** The answer, as soon as its head is there. Throws NoAnswer if none comes, the signal's reason, and what the body throws. */
  send({ method, url, headers, body, tls, admit, signal }: HttpRequest): Promise<IncomingMessage> {
    signal.throwIfAborted();
    const proxy = proxyFor(url, this.#proxies);
    const agent = this.#agentFor(url, { tls, proxy });
    const options: RequestOptions = { method, headers, signal, agent };
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const call = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options);
    const fail = (error: unknown): void => {
      if (signal.aborted) reject(signal.reason);
      else {
        const message = `${requestName(method, url)}: ${networkFailure(error, url)}`;
        reject(new NoAnswer(message, { origin: url.origin, cause: error }));
      }
    };
    limitTime(call, url, this.#patience);
    // It stays for what goes wrong after the answer has begun: its reader hears of that from the answer.
    call.on('error', fail);
    call.once('response', (response) => {
      // An answer that comes before all was sent is the last word: the rest is of no interest to anybody.
      if (!call.writableFinished && body !== undefined) response.once('close', () => call.destroy());
      nameAnswer(response, requestName(method, url));
      const { remoteAddress } = response.socket;
      if (proxy === '' && remoteAddress !== undefined) peers.set(response, remoteAddress);
      resolve(response);
    });
    const begin = (): void => {
      if (body === undefined || body instanceof Uint8Array) call.end(body);
      else {
        const source = Readable.from(body, { objectMode: false });
        // What fails here is no failure of the network, and no reason to try again.
        source.once('error', reject);
        pipeline(source, call, () => {});
      }
    };
    if (admit === undefined || proxy !== '') begin();
    else {
      whenConnected(call, url, ({ remoteAddress = '' }) => {
        try {
          admit(remoteAddress);
          begin();
        } catch (error) {
          reject(error);
          call.destroy();
        }
      });
    }
    return promise;
  }

  /** Closes the connections that nobody uses; those in use end with their requests. */
  [Symbol.dispose](): void {
    for (const agent of this.#plain.values()) agent.destroy();
    for (const agents of this.#secure.values()) for (const agent of agents.values()) agent.destroy();
  }

  #agentFor(url: URL, { tls, proxy }: { tls: TlsSettings; proxy: string }): HttpAgent {
    // Which hosts take the proxy has been decided already.
    const proxyEnv = proxy === '' ? {} : { HTTP_PROXY: proxy, HTTPS_PROXY: proxy };
    const kept = { keepAlive: true, timeout: keepTime };
    const isSecure = url.protocol === 'https:';
    if (!isSecure) return made(this.#plain, proxy, () => new HttpAgent({ ...kept, proxyEnv }));
    const agents = made(this.#secure, tls, () => new Map<string, HttpsAgent>());
    return made(agents, proxy, () => {
      return new HttpsAgent({ ...kept, proxyEnv, rejectUnauthorized: tls.verify, ...trustOf(tls) });
    });
  }
}

/** Ends a request that gets no connection, or whose connection goes silent. */
function limitTime(call: ClientRequest, url: URL, { connect, idle }: Patience): void {
  const late = (): Error => Object.assign(new Error('late'), { code: 'ETIMEDOUT', syscall: 'connect' });
  const connecting = setTimeout(() => call.destroy(late()), connect);
  let answer: IncomingMessage | undefined;
  call.once('response', (response) => {
    answer = response;
  });
  // Whoever reads the answer hears why it ends.
  call.setTimeout(idle, () => (answer ?? call).destroy(new Error(`nothing came for ${idle / 1000} s`)));
  whenConnected(call, url, () => clearTimeout(connecting));
  call.once('close', () => clearTimeout(connecting));
}

/** Calls back when the request has a connection, a new one or one that was kept. */
function whenConnected(call: ClientRequest, url: URL, then: (socket: Socket) => void): void {
  call.once('socket', (socket) => {
    if (socket.connecting)
      socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => then(socket));
    else then(socket);
  });
}

const peers = new WeakMap<IncomingMessage, string>();

/** The address that an answer has come from; undefined where a proxy got it, and nobody but that knows. */
export function peerOf(response: IncomingMessage): string | undefined {
  return peers.get(response);
}

/** By authorities, where there are no certificates of ours: reading a hundred of them takes longer than a request. */
const contexts = new WeakMap<readonly string[], SecureContext>();

/** Bun does not know contexts, only what they are made of. Throws `internal` for certificates that cannot be used. */
function trustOf({ ca, cert, key }: TlsSettings): HttpsAgentOptions {
  const isOurs = cert !== undefined && key !== undefined;
  const parts = { ca: [...ca], ...(isOurs && { cert: [...cert], key: [...key] }) };
  if ('bun' in process.versions) return parts;
  try {
    return {
      secureContext: isOurs
        ? createSecureContext(parts)
        : made(contexts, ca, () => createSecureContext(parts)),
    };
  } catch (error) {
    throw internal(`the certificates for a registry cannot be used: ${messageOf(error)}`, error);
  }
}

function made<K, V>(
  map: { get(key: K): V | undefined; set(key: K, value: V): unknown },
  key: K,
  make: () => V,
): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
