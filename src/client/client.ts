import type { IncomingMessage } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { apiVersion, compareVersions } from '#/wire/version.ts';
import { type Endpoint, endpointName } from './endpoint.ts';
import { ApiError, ConnectionError } from './errors.ts';
import { type Answer, readAnswer, Transport, versionOf } from './transport.ts';

/** The parameters of a request; `undefined` and `false` are left out, lists are repeated. */
export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** A request to the Engine API. */
export interface ApiRequest {
  readonly query?: Query;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is; its headers say what it is. */
  readonly text?: string;
  /** Sent as it is. */
  readonly body?: Readable;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** How to make a client. */
export interface ClientOptions {
  readonly endpoint: Endpoint;
  /** A version to use without asking the daemon. */
  readonly apiVersion?: string | undefined;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A raw connection after an upgrade: attach and exec. */
export interface Hijacked {
  readonly socket: Duplex;
  /** What the daemon sent together with the head of its answer. */
  readonly early: Buffer;
}

/** An error's answer longer than this is cut. Characters. */
const maxErrorLength = 64 * 1024;

/**
 * A client of the Engine API. It speaks the newest version that it knows until a daemon says that it knows only an older
 * one; then it asks again in that one, and keeps to it. What the daemon refuses becomes an ApiError, what does not reach
 * it a ConnectionError.
 */
export class Client implements Disposable {
  readonly endpoint: Endpoint;
  readonly #transport: Transport;
  readonly #headers: Readonly<Record<string, string>>;
  #version: string;
  /** The daemon has accepted the version, or it is not ours to choose. */
  #settled: boolean;

  constructor({ endpoint, apiVersion: fixed, headers = {} }: ClientOptions) {
    this.endpoint = endpoint;
    this.#transport = new Transport(endpoint);
    this.#headers = { Host: 'skiff', 'User-Agent': 'Skiff-Client', ...headers };
    this.#version = fixed?.replace(/^v/, '') ?? apiVersion;
    this.#settled = fixed !== undefined;
  }

  [Symbol.dispose](): void {
    this.#transport[Symbol.dispose]();
  }

  /** The version that requests use; asks the daemon if nothing has been sent yet. */
  async apiVersion(): Promise<string> {
    if (!this.#settled) {
      const { version } = await this.#reach(this.#transport.ask(this.#prepare('HEAD', '/_ping', {})));
      this.#takeVersion(version);
      this.#settled = true;
    }
    return this.#version;
  }

  /** Tells whether the daemon is Skiff, which knows more than Docker's API. */
  async isSkiff(): Promise<boolean> {
    const { version, server } = await this.#reach(this.#transport.ask(this.#prepare('HEAD', '/_ping', {})));
    this.#takeVersion(version);
    return server?.startsWith('Skiff/') === true;
  }

  /** The daemon's answer as a stream; the caller reads it to the end or destroys it. */
  async send(method: string, path: string, request: ApiRequest = {}): Promise<IncomingMessage> {
    // A stream cannot be sent a second time.
    if (request.body !== undefined) await this.apiVersion();
    const exchange = this.#prepare(method, this.#versioned(path), request);
    const { body = exchange.body } = request;
    const response = await this.#reach(this.#transport.send({ ...exchange, body }));
    const isTooNew = this.#takeVersion(versionOf(response));
    if (!isFailure(response.statusCode ?? 0)) return response;
    const answer = await readAnswer(response);
    if (!isTooNew) throw apiError(answer);
    return this.send(method, path, request);
  }

  /** The daemon's answer as text. */
  async text(method: string, path: string, request: Omit<ApiRequest, 'body'> = {}): Promise<string> {
    const exchange = this.#prepare(method, this.#versioned(path), request);
    const answer = await this.#reach(this.#transport.ask(exchange));
    const isTooNew = this.#takeVersion(answer.version);
    if (!isFailure(answer.status)) return answer.text;
    if (!isTooNew) throw apiError(answer);
    return this.text(method, path, request);
  }

  /** The daemon's answer as the JSON that the API documents for it. */
  async json<T>(method: string, path: string, request: Omit<ApiRequest, 'body'> = {}): Promise<T> {
    // The daemon is trusted to keep to its own API.
    return JSON.parse(await this.text(method, path, request)) as T;
  }

  /** Sends a request whose answer says nothing. */
  async run(method: string, path: string, request: Omit<ApiRequest, 'body'> = {}): Promise<void> {
    await this.text(method, path, request);
  }

  /** Turns a request into a raw connection. */
  async hijack(path: string, request: Omit<ApiRequest, 'body'> = {}): Promise<Hijacked> {
    const exchange = this.#prepare('POST', this.#versioned(path), request);
    const answer = await this.#reach(this.#transport.hijack(exchange));
    if (!('refused' in answer)) return answer;
    const isTooNew = this.#takeVersion(versionOf(answer.refused));
    if (!isFailure(answer.refused.statusCode ?? 0)) {
      answer.refused.destroy();
      throw new Error(`unable to upgrade to tcp, received ${answer.refused.statusCode}`);
    }
    const refused = await readAnswer(answer.refused);
    if (!isTooNew) throw apiError(refused);
    return this.hijack(path, request);
  }

  #versioned(path: string): string {
    return `/v${this.#version}${path}`;
  }

  /** Takes over the daemon's version if ours is newer, and tells whether it was. Every answer says it. */
  #takeVersion(offered: string | undefined): boolean {
    if (this.#settled || offered === undefined) return false;
    this.#settled = true;
    const isTooNew = compareVersions(offered, this.#version) < 0;
    if (isTooNew) this.#version = offered;
    return isTooNew;
  }

  #prepare(method: string, path: string, request: ApiRequest) {
    const { query = {}, json, headers, signal } = request;
    const body = json === undefined ? request.text : JSON.stringify(json);
    const isEmpty = body === undefined && request.body === undefined;
    return {
      method,
      path: path + encodeQuery(query),
      headers: {
        ...this.#headers,
        ...(body !== undefined && {
          'Content-Type': 'application/json',
          'Content-Length': String(Buffer.byteLength(body)),
        }),
        ...(isEmpty && method === 'POST' && { 'Content-Length': '0' }),
        ...headers,
      },
      body,
      signal,
    };
  }

  async #reach<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw this.#connectionError(error);
    }
  }

  #connectionError(error: unknown): unknown {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const name = endpointName(this.endpoint);
    if (['ENOENT', 'ECONNREFUSED', 'ENOTSOCK', 'FailedToOpenSocket', 'ConnectionRefused'].includes(code)) {
      return new ConnectionError(
        `Cannot connect to the Skiff daemon at ${name}. Is the skiff daemon running?`,
        error,
      );
    }
    if (code === 'EACCES' || code === 'EPERM') {
      const message = `permission denied while trying to connect to the Skiff daemon socket at ${name}`;
      return new ConnectionError(message, error);
    }
    if (['ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'EAI_AGAIN', 'ECONNRESET'].includes(code)) {
      const why = error instanceof Error ? error.message : code;
      const hint = code === 'ECONNRESET' ? tlsHint(this.endpoint) : '';
      return new ConnectionError(`error during connect to ${name}: ${why}${hint}`, error);
    }
    return error;
  }
}

/** Why a daemon may hang up without an answer: the two sides want different things of TLS. */
function tlsHint(endpoint: Endpoint): string {
  if (endpoint.kind === 'unix') return '';
  if (endpoint.tls === undefined) return '; if the daemon speaks TLS, use --tlsverify';
  return `; the daemon may not accept ${endpoint.tls.cert === undefined ? 'clients without a certificate: use --tlscert and --tlskey' : "this client's certificate (--tlscert)"}`;
}

/** A path segment from outside, escaped. */
export function segment(text: string): string {
  return encodeURIComponent(text);
}

function encodeQuery(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === false) continue;
    if (value === true) parameters.append(name, '1');
    else if (typeof value === 'object') for (const item of value) parameters.append(name, item);
    else parameters.append(name, String(value));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

const isFailure = (status: number): boolean => status >= 400;

function apiError({ status, reason, text }: Answer): ApiError {
  return new ApiError(status, errorMessage(text.slice(0, maxErrorLength)) ?? (reason || String(status)));
}

function errorMessage(text: string): string | undefined {
  if (text.trim() === '') return undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    if (
      typeof parsed === 'object' &&
      parsed !== null &&
      'message' in parsed &&
      typeof parsed.message === 'string'
    ) {
      return parsed.message.trim();
    }
  } catch {
    // Not JSON: something between the daemon and us answered, in words of its own.
  }
  return text.trim();
}
