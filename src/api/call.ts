import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from '#/base/log.ts';
import type { Backend } from './backend.ts';
import { Query } from './query.ts';

/** Answers one request. What it throws becomes the answer if none was begun. */
export type Handler = (call: Call) => Promise<void>;

/** A method, a path with at most one `:parameter` as its second segment, and who answers. */
export type Route = readonly [method: string, path: string, handler: Handler];

/** What the server knows about a request before it is handled. */
export interface CallParts {
  readonly engine: Backend;
  readonly log: Logger;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly params: Readonly<Record<string, string>>;
  readonly queryText: string;
  readonly version: string;
  /** Aborts when the daemon shuts down. */
  readonly shutdown: AbortSignal;
  /** The connection, if the client asked for an upgrade; no HTTP is spoken on it any more. */
  readonly upgraded: Duplex | undefined;
}

/** One request, and everything that is needed to answer it. */
export class Call {
  readonly engine: Backend;
  readonly log: Logger;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The decoded `:parameter` of the path. */
  readonly params: Readonly<Record<string, string>>;
  /** The API version that was asked for, for example "1.41". */
  readonly version: string;
  readonly upgraded: Duplex | undefined;
  readonly #queryText: string;
  readonly #shutdown: AbortSignal;
  #query: Query | undefined;
  #abort: AbortController | undefined;

  constructor(parts: CallParts) {
    this.engine = parts.engine;
    this.log = parts.log;
    this.request = parts.request;
    this.response = parts.response;
    this.params = parts.params;
    this.version = parts.version;
    this.upgraded = parts.upgraded;
    this.#queryText = parts.queryText;
    this.#shutdown = parts.shutdown;
  }

  /** The path's `:id` or `:name`. */
  get id(): string {
    return this.params['id'] ?? this.params['name'] ?? '';
  }

  get query(): Query {
    this.#query ??= new Query(this.#queryText);
    return this.#query;
  }

  /**
   * Aborts when the client hangs up or the daemon shuts down. Pass it to reads, waits and streams, never to something
   * that changes state: that is finished whether or not somebody still listens.
   */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const abort = new AbortController();
      this.#abort = abort;
      const hangUp = (): void => abort.abort(new Error('the client hung up'));
      const stop = (): void => abort.abort(this.#shutdown.reason);
      const connection = this.upgraded ?? this.response;
      connection.once('close', () => {
        this.#shutdown.removeEventListener('abort', stop);
        hangUp();
      });
      this.#shutdown.addEventListener('abort', stop, { once: true });
      if (connection.destroyed) hangUp();
      if (this.#shutdown.aborted) stop();
    }
    return this.#abort.signal;
  }
}
