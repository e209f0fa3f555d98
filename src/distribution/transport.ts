import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { pipeline, Readable } from 'node:stream';
import { createSecureContext, type SecureContext } from 'node:tls';
import { messageOf, unavailable } from '#/base/errors.ts';
import type { TlsSettings } from './certificates.ts';
import { shownUrl } from './shown-url.ts';

/** The way to the world outside; an empty text means directly. */
export interface Proxies {
  readonly http: string;
  readonly https: string;
  /** Hosts that are reached directly, with commas. */
  readonly no: string;
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
  readonly signal: AbortSignal;
}

/** Until a connection stands, in milliseconds. */
const connectTime = 30_000;
/** Without a byte in either direction, in milliseconds. */
const idleTime = 60_000;
/** How long a connection is kept that nobody uses, in milliseconds. */
const keepTime = 5_000;

/** Sends requests over connections that are kept; follows nothing and repeats nothing. */
export class Transport implements Disposable {
  readonly #proxyEnv: Readonly<Record<string, string>>;
  readonly #http: HttpAgent;
  readonly #https = new WeakMap<TlsSettings, HttpsAgent>();
  readonly #agents = new Set<HttpAgent>();

  constructor({ http, https, no }: Proxies) {
    this.#proxyEnv = {
      ...(http !== '' && { HTTP_PROXY: http }),
      ...(https !== '' && { HTTPS_PROXY: https }),
      ...(no !== '' && { NO_PROXY: no }),
    };
    this.#http = new HttpAgent({ keepAlive: true, timeout: keepTime, proxyEnv: this.#proxyEnv });
    this.#agents.add(this.#http);
  }

  /** The answer, as soon as its head is there. Throws `unavailable` if none comes, and the signal's reason. */
  send({ method, url, headers, body, tls, signal }: HttpRequest): Promise<IncomingMessage> {
    signal.throwIfAborted();
    const secure = url.protocol === 'https:';
    const options: RequestOptions = {
      method,
      headers,
      signal,
      agent: secure ? this.#secureAgent(tls) : this.#http,
    };
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const call = (secure ? httpsRequest : httpRequest)(url, options);
    const fail = (error: unknown): void => {
      if (signal.aborted) reject(signal.reason);
      else reject(unavailable(`${method} "${shownUrl(url)}": ${messageOf(error)}`, error));
    };
    const connecting = setTimeout(() => {
      call.destroy(new Error(`no connection after ${connectTime / 1000} s`));
    }, connectTime);
    call.setTimeout(idleTime, () => call.destroy(new Error(`no answer for ${idleTime / 1000} s`)));
    call.once('socket', (socket) => {
      const connected = (): void => clearTimeout(connecting);
      if (socket.connecting) socket.once(secure ? 'secureConnect' : 'connect', connected);
      else connected();
    });
    call.once('close', () => clearTimeout(connecting));
    call.on('error', fail);
    call.once('response', resolve);
    if (body === undefined || body instanceof Uint8Array) call.end(body);
    else {
      // The answer can come before the whole body is sent: then the rest is of no interest to anybody.
      pipeline(Readable.from(body, { objectMode: false }), call, (error) => {
        if (error) fail(error);
      });
    }
    return promise;
  }

  /** Closes the connections that nobody uses; those in use end with their requests. */
  [Symbol.dispose](): void {
    for (const agent of this.#agents) agent.destroy();
  }

  #secureAgent(tls: TlsSettings): HttpsAgent {
    let agent = this.#https.get(tls);
    if (agent === undefined) {
      agent = new HttpsAgent({
        keepAlive: true,
        timeout: keepTime,
        proxyEnv: this.#proxyEnv,
        rejectUnauthorized: tls.verify,
        secureContext: contextOf(tls),
      });
      this.#https.set(tls, agent);
      this.#agents.add(agent);
    }
    return agent;
  }
}

/** By authorities, where there are no certificates of ours: reading a hundred of them takes longer than a request. */
const contexts = new WeakMap<readonly string[], SecureContext>();

function contextOf({ ca, cert, key }: TlsSettings): SecureContext {
  if (cert !== undefined && key !== undefined) {
    return createSecureContext({ ca: [...ca], cert: [...cert], key: [...key] });
  }
  let context = contexts.get(ca);
  if (context === undefined) {
    context = createSecureContext({ ca: [...ca] });
    contexts.set(ca, context);
  }
  return context;
}
