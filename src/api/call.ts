import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex, Writable } from 'node:stream';
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
  /** What stands behind the question mark. */
  readonly queryText: string;
  readonly version: string;
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
  /** The connection, if the client asked for an upgrade: behind the request comes no other one. */
  readonly upgraded: Duplex | undefined;
  readonly #queryText: string;
  #query: Query | undefined;
  #abort: AbortController | undefined;
  #connection: Writable;

  constructor(parts: CallParts) {
    this.engine = parts.engine;
    this.log = parts.log;
    this.request = parts.request;
    this.response = parts.response;
    this.params = parts.params;
    this.version = parts.version;
    this.upgraded = parts.upgraded;
    this.#queryText = parts.queryText;
    this.#connection = parts.upgraded ?? parts.response;
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
      this.#abort = new AbortController();
      this.#watchConnection();
    }
    return this.#abort.signal;
  }

  /** Aborts the signal, if anybody has asked for it. */
  abort(reason: Error): void {
    this.#abort?.abort(reason);
  }

  /** From now on the client is gone when `stream` closes; for a connection that was taken from HTTP. */
  takeOver(stream: Writable): void {
    this.#connection = stream;
    if (this.#abort !== undefined) this.#watchConnection();
  }

  #watchConnection(): void {
    const connection = this.#connection;
    const closed = (): void => {
      // A response closes when it is complete, too. One that was taken over no longer matters.
      if (connection !== this.#connection || connection.writableFinished) return;
      this.#abort?.abort(new Error('the client hung up'));
    };
    if (connection.destroyed) closed();
    else connection.once('close', closed);
  }
}
