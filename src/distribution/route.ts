import type { IncomingMessage } from 'node:http';
import { EngineError } from '#/base/errors.ts';
import type { Connection, RegistryRequest } from './connection.ts';
import { RegistryError } from './failures.ts';
import type { RegistryHost } from './hosts.ts';
import { withRetries } from './retry.ts';
import { NoAnswer } from './transport.ts';

/** Sends a request about the repository; paths are relative to it, or complete for where the registry sends us. */
export type Send = (
  request: Omit<RegistryRequest, 'scopes' | 'signal'> & { readonly scopes?: readonly string[] },
) => Promise<IncomingMessage>;

/** Whom to ask. */
export interface Connections {
  /** The registry's own addresses: with TLS and perhaps without. */
  readonly own: readonly Connection[];
  /** Those of mirrors, asked first for what is only read. */
  readonly mirrors: readonly Connection[];
}

/** What a route is made of. */
export interface RouteParts {
  /** Called once, when the first request is made. */
  readonly connect: () => Promise<Connections>;
  /** Called with the registry's own address that has answered. */
  readonly onAnswer?: (host: RegistryHost) => void;
  /** `v2/PATH/`, or `v2/` for what is about the whole registry. */
  readonly prefix: string;
  readonly scopes: readonly string[];
  readonly attempts: number;
  /** Milliseconds; see RetryOptions. */
  readonly delay: number;
}

/** The ways to a repository: mirrors and the registry itself, each tried as patiently as configured. */
export class Route {
  readonly attempts: number;
  readonly delay: number;
  readonly #parts: RouteParts;
  #connections: Promise<Connections> | undefined;
  /** Of the registry's addresses, the one that has answered. */
  #working: Connection | undefined;
  /** Mirrors that did not answer, which would take as long each time, or gave something wrong. */
  readonly #passedOver = new Set<Connection>();

  constructor(parts: RouteParts) {
    this.#parts = parts;
    this.attempts = parts.attempts;
    this.delay = parts.delay;
  }

  /**
   * Reads something: from the first mirror that has it, or else from the registry itself, or from the latter only, and that once
   * only if the caller tries again. `read` is told the mirror, if it is one.
   */
  async get<T>(
    signal: AbortSignal,
    read: (send: Send, mirror?: Connection) => Promise<T>,
    { mirrors = true, once = false }: { mirrors?: boolean; once?: boolean } = {},
  ): Promise<T> {
    for (const mirror of mirrors ? (await this.#connect()).mirrors : []) {
      if (this.#passedOver.has(mirror)) continue;
      const send = this.#sender(mirror, signal);
      try {
        // What a mirror does not have, the registry can still have.
        return await read(
          (request) => send({ ...request, accept: request.accept?.filter((status) => status !== 404) ?? [] }),
          mirror,
        );
      } catch (error) {
        // Whatever is wrong with a mirror, the registry itself decides. A caller that leaves is no fault of it.
        signal.throwIfAborted();
        if (!(error instanceof EngineError)) throw error;
        if (error instanceof NoAnswer) this.passOver(mirror);
      }
    }
    return once ? this.once(signal, read) : this.own(signal, read);
  }

  /** Asks a mirror no more. */
  passOver(mirror: Connection): void {
    this.#passedOver.add(mirror);
  }

  /** Asks the registry itself, again if that can help. */
  own<T>(signal: AbortSignal, ask: (send: Send) => Promise<T>): Promise<T> {
    return withRetries(() => this.once(signal, ask), { attempts: this.attempts, delay: this.delay, signal });
  }

  /** Asks the registry itself once. */
  async once<T>(signal: AbortSignal, ask: (send: Send) => Promise<T>): Promise<T> {
    if (this.#working !== undefined) return ask(this.#sender(this.#working, signal));
    const { own } = await this.#connect();
    let last: unknown;
    for (const connection of own) {
      try {
        const result = await ask(this.#sender(connection, signal));
        this.#answered(connection);
        return result;
      } catch (error) {
        signal.throwIfAborted();
        if (wantsTls(error, connection) && connection !== own.at(-1)) {
          last = error;
          continue;
        }
        if (!(error instanceof NoAnswer) || error.origin !== connection.host.base.origin) {
          if (error instanceof RegistryError) this.#answered(connection);
          throw error;
        }
        // Perhaps it does without TLS. Where that may be tried, its failure says more than one of TLS.
        const says = last === undefined || connection.host.base.protocol === 'http:';
        if (says && !(last instanceof RegistryError)) last = error;
      }
    }
    throw last;
  }

  #answered(connection: Connection): void {
    this.#working = connection;
    this.#parts.onAnswer?.(connection.host);
  }

  #connect(): Promise<Connections> {
    this.#connections ??= this.#parts.connect();
    return this.#connections;
  }

  #sender(connection: Connection, signal: AbortSignal): Send {
    const { prefix, scopes } = this.#parts;
    return (request) => {
      const path =
        typeof request.path === 'string' && !request.path.startsWith('/')
          ? `${prefix}${request.path}`
          : request.path;
      return connection.send({ ...request, path, scopes: [...scopes, ...(request.scopes ?? [])], signal });
    };
  }
}

/** What servers with TLS answer to plain HTTP: a registry that did without has it now. */
function wantsTls(error: unknown, { host }: Connection): boolean {
  return (
    host.base.protocol === 'http:' &&
    error instanceof RegistryError &&
    error.status === 400 &&
    error.codes.length === 0
  );
}
