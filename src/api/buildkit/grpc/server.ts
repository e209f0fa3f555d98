import {
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import {
  create,
  type DescMessage,
  type DescMethodBiDiStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import type { Logger } from '#/base/log.ts';
import { frame } from './framing.ts';
import { connectionOptions } from './options.ts';
import { GrpcError, grpcCodes, grpcErrorOf, isBug, trailersOf } from './status.ts';
import { receivedMessages, written } from './stream.ts';

/** One call of a client. */
export interface ServerCall {
  /** Aborts when the client gives up or its connection breaks. */
  readonly signal: AbortSignal;
  /** The value of a header; several are joined with commas. */
  metadata(name: string): string | undefined;
}

/** Answers the calls of one method. */
export interface GrpcHandler {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly answer: (requests: AsyncIterable<Buffer>, call: ServerCall) => AsyncIterable<Uint8Array>;
  /** What the answer begins with: it is sent at once then, before there is a message. */
  readonly head?: () => OutgoingHttpHeaders;
}

/** A method with one answer. */
export function unary<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  handle: (request: MessageShape<I>, call: ServerCall) => Promise<MessageInitShape<O>>,
): GrpcHandler {
  return {
    path: methodPath(method),
    answer: async function* (requests, call): AsyncGenerator<Uint8Array> {
      const request = decoded(method.input, await onlyMessage(requests));
      yield encoded(method.output, await handle(request, call));
    },
  };
}

/** A method that answers with any number of messages. */
export function serverStream<I extends DescMessage, O extends DescMessage>(
  method: DescMethodServerStreaming<I, O>,
  handle: (request: MessageShape<I>, call: ServerCall) => AsyncIterable<MessageInitShape<O>>,
  options: Pick<GrpcHandler, 'head'> = {},
): GrpcHandler {
  return {
    ...options,
    path: methodPath(method),
    answer: async function* (requests, call): AsyncGenerator<Uint8Array> {
      const request = decoded(method.input, await onlyMessage(requests));
      for await (const message of handle(request, call)) {
        yield encoded(method.output, message);
      }
    },
  };
}

/** A method with any number of messages in both directions, at any time. */
export function bidiStream<I extends DescMessage, O extends DescMessage>(
  method: DescMethodBiDiStreaming<I, O>,
  handle: (requests: AsyncIterable<MessageShape<I>>, call: ServerCall) => AsyncIterable<MessageInitShape<O>>,
): GrpcHandler {
  async function* decodedAll(requests: AsyncIterable<Buffer>): AsyncGenerator<MessageShape<I>> {
    for await (const request of requests) yield decoded(method.input, request);
  }
  return {
    path: methodPath(method),
    answer: async function* (requests, call): AsyncGenerator<Uint8Array> {
      for await (const message of handle(decodedAll(requests), call)) yield encoded(method.output, message);
    },
  };
}

/** Where HTTP/2 finds a method. */
export function methodPath(method: {
  readonly name: string;
  readonly parent: { readonly typeName: string };
}): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** Serves gRPC on connections that others have opened. */
export class GrpcServer {
  readonly #handlers: ReadonlyMap<string, GrpcHandler>;
  readonly #log: Logger;

  constructor(handlers: readonly GrpcHandler[], log: Logger) {
    this.#handlers = new Map(handlers.map((handler) => [handler.path, handler]));
    this.#log = log;
  }

  /** Answers until the connection closes or the signal aborts. */
  async serve(connection: Duplex, { signal }: { signal: AbortSignal }): Promise<void> {
    const session = performServerHandshake(connection, connectionOptions);
    const { promise, resolve } = Promise.withResolvers<void>();
    session.on('stream', (stream, headers) => {
      // What a client breaks off is told by `close`.
      stream.on('error', () => {});
      void this.#answer(stream, headers);
    });
    session.on('error', (error) => this.#log.debug('a gRPC connection broke', { error }));
    session.on('close', resolve);
    const end = (): void => session.destroy();
    // The other half of the connection stays open otherwise.
    connection.once('end', end);
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    await promise;
    signal.removeEventListener('abort', end);
    connection.destroy();
  }

  async #answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const abort = new AbortController();
    stream.once('close', () => abort.abort(new Error('the client has ended the call')));
    const path = headers[':path'];
    let failure: GrpcError | undefined;
    try {
      const handler = this.#handlers.get(path ?? '');
      if (handler === undefined) throw new GrpcError(grpcCodes.unimplemented, `unknown method ${path}`);
      this.#log.debug('gRPC call', { path });
      if (handler.head !== undefined) begin(stream, handler.head());
      const call = { signal: abort.signal, metadata: (name: string) => first(headers[name]) };
      for await (const message of handler.answer(receivedMessages(stream), call)) {
        if (!stream.headersSent) begin(stream);
        await written(stream, frame(message));
      }
    } catch (error) {
      if (isBug(error) && !abort.signal.aborted) this.#log.error('a gRPC call failed', { path, error });
      failure = grpcErrorOf(error);
    }
    if (stream.destroyed || stream.closed) return;
    finish(stream, failure);
  }
}

function begin(stream: ServerHttp2Stream, more: OutgoingHttpHeaders = {}): void {
  const head = { ':status': 200, 'content-type': 'application/grpc', ...more };
  stream.respond(head, { waitForTrailers: true });
}

function finish(stream: ServerHttp2Stream, failure: GrpcError | undefined): void {
  const trailers = trailersOf(failure);
  // What was not read is of no interest any more.
  stream.resume();
  if (!stream.headersSent) {
    const head = { ':status': 200, 'content-type': 'application/grpc', ...trailers };
    stream.respond(head, { endStream: true });
    return;
  }
  stream.once('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end();
}

async function onlyMessage(requests: AsyncIterable<Buffer>): Promise<Buffer> {
  let request: Buffer | undefined;
  for await (const message of requests) {
    if (request !== undefined) throw new GrpcError(grpcCodes.unimplemented, 'the method takes one message');
    request = message;
  }
  if (request === undefined) throw new GrpcError(grpcCodes.invalidArgument, 'the call has no message');
  return request;
}

function decoded<I extends DescMessage>(schema: I, bytes: Buffer): MessageShape<I> {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    throw new GrpcError(grpcCodes.invalidArgument, `the message is no ${schema.typeName}`, { cause: error });
  }
}

function encoded<O extends DescMessage>(schema: O, message: MessageInitShape<O>): Uint8Array {
  return toBinary(schema, create(schema, message));
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
