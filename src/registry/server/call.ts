import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Logger } from '#/base/log.ts';
import type { Access, User, Verb } from './access.ts';
import { denied, unauthorized } from './errors.ts';
import type { Actor } from './observer.ts';

/** What one request and its answer are made of. */
export interface CallParts {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly access: Access;
  readonly log: Logger;
}

/** One request on its way through the registry: who asks, what they may, and how to answer. */
export class Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Path without query, as sent. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly log: Logger;
  /** Aborts when the client has gone or a drained server can wait no longer. */
  readonly signal: AbortSignal;
  readonly #access: Access;
  readonly #abort = new AbortController();
  #user: User | undefined;
  #waits: boolean;

  constructor({ request, response, path, query, access, log }: CallParts) {
    this.request = request;
    this.response = response;
    this.path = path;
    this.query = query;
    this.log = log;
    this.#access = access;
    this.signal = this.#abort.signal;
    this.#waits = /^100-continue$/i.test(request.headers.expect ?? '');
    const onGone = (): void => {
      if (!response.writableFinished) this.#abort.abort(new Error('the client has gone'));
    };
    // A response that waits for the one before it does not hear of the end of the connection.
    const { socket } = request;
    socket.once('close', onGone);
    response.once('close', () => {
      socket.off('close', onGone);
      onGone();
    });
  }

  get method(): string {
    return this.request.method ?? 'GET';
  }

  /** Who asks; undefined for nobody in particular, and before `identify`. */
  get user(): User | undefined {
    return this.#user;
  }

  get actor(): Actor {
    return {
      user: this.#user?.name,
      remote: this.request.socket?.remoteAddress,
      agent: this.request.headers['user-agent'],
    };
  }

  /** Finds out who asks; throws UNAUTHORIZED for wrong credentials. */
  async identify(): Promise<void> {
    this.#user = await this.#access.identify(this.request);
  }

  /** Tells whether the user may do this. */
  may(verb: Verb, repository?: string): boolean {
    return this.#access.decide(this.#user, { verb, repository }).allowed;
  }

  /** Throws UNAUTHORIZED or DENIED unless the user may do this. */
  require(verb: Verb, repository?: string): void {
    const decision = this.#access.decide(this.#user, { verb, repository });
    if (decision.allowed) return;
    const what = repository === undefined ? verb : `${verb} in repository "${repository}"`;
    if (decision.challenge !== undefined) {
      throw unauthorized(`${what} needs a login with the right to it`, decision.challenge);
    }
    throw denied(`user "${this.#user?.name ?? 'anonymous'}" has no right to ${what}`);
  }

  /** Ends everything that this call waits for. */
  abort(reason: Error): void {
    this.#abort.abort(reason);
  }

  /** Lets a client send the body that waits for that to be asked for (RFC 9110, section 10.1.1). */
  proceed(): void {
    if (this.#waits && !this.response.headersSent) this.response.writeContinue();
    this.#waits = false;
  }

  /** Answers with headers alone. */
  empty(status: number, headers: OutgoingHttpHeaders = {}): void {
    const length = status === 204 || status === 304 ? {} : { 'Content-Length': 0 };
    this.response.writeHead(status, { ...length, ...headers });
    this.response.end();
  }

  /** Answers with bytes; to HEAD with their number only. */
  bytes(body: Uint8Array, headers: OutgoingHttpHeaders, status: number = 200): void {
    this.response.writeHead(status, { ...headers, 'Content-Length': body.length });
    if (this.method === 'HEAD') this.response.end();
    else this.response.end(body);
  }

  /** Answers with JSON. */
  json(value: unknown, headers: OutgoingHttpHeaders = {}): void {
    this.bytes(Buffer.from(`${JSON.stringify(value)}\n`), { 'Content-Type': 'application/json', ...headers });
  }
}

/** Answers one call, or throws what `failureOf` can turn into an answer. */
export type Handler = (call: Call) => Promise<void>;
