import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import type { Duplex } from 'node:stream';
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { frame } from './framing.ts';
import { connectionOptions, connectionWindow } from './options.ts';
import { methodPath } from './server.ts';
import { errorInTrailers, GrpcError, grpcCodes } from './status.ts';
import { receivedMessages, written } from './stream.ts';

/** What belongs to one call. */
export interface CallOptions {
  readonly signal: AbortSignal;
  /** Further headers; several values are sent as several headers. */
  readonly metadata?: Readonly<Record<string, string | string[]>>;
}

/** A method as streams see it. Some are used with other messages than they are declared with. */
export interface StreamMethod<I extends DescMessage, O extends DescMessage> {
  readonly path: string;
  readonly input: I;
  readonly output: O;
}

/** Calls somebody who serves gRPC on a connection that they opened. */
export class GrpcClient {
  readonly #session: ClientHttp2Session;
  readonly #connection: Duplex;

  constructor(connection: Duplex) {
    this.#connection = connection;
    const session = connect('http://localhost', { ...connectionOptions, createConnection: () => connection });
    session.on('connect', () => session.setLocalWindowSize(connectionWindow));
    // Calls in progress fail with it.
    session.on('error', () => session.destroy());
    session.on('goaway', () => session.destroy());
    // The other half of the connection stays open otherwise.
    connection.once('end', () => session.destroy());
    this.#session = session;
  }

  /** Waits for the end of the connection, or makes it end when the signal aborts. */
  async closed({ signal }: { signal: AbortSignal }): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = (): void => this.#session.destroy();
    this.#session.once('close', resolve);
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    if (!this.#session.closed && !this.#session.destroyed) await promise;
    signal.removeEventListener('abort', end);
    this.#connection.destroy();
  }

  /** Sends one message and returns the answer. */
  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions,
  ): Promise<MessageShape<O>> {
    const { input, output } = method;
    using stream = this.stream({ path: methodPath(method), input, output }, options);
    await stream.send(request);
    stream.end();
    let answer: MessageShape<O> | undefined;
    for await (const message of stream) answer ??= message;
    if (answer === undefined) throw new GrpcError(grpcCodes.internal, 'the answer has no message');
    return answer;
  }

  /** Opens a stream in both directions. It ends at once when it is disposed of or the signal aborts. */
  stream<I extends DescMessage, O extends DescMessage>(
    method: StreamMethod<I, O>,
    { signal, metadata = {} }: CallOptions,
  ): GrpcStream<I, O> {
    signal.throwIfAborted();
    if (this.#session.closed || this.#session.destroyed) {
      throw new GrpcError(grpcCodes.unavailable, 'the client has closed its session');
    }
    const stream = this.#session.request({
      ...metadata,
      ':method': 'POST',
      ':path': method.path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    return new GrpcStream(stream, { method, signal });
  }
}

/** A call in progress. */
export class GrpcStream<I extends DescMessage, O extends DescMessage> implements Disposable {
  readonly #stream: ClientHttp2Stream;
  readonly #method: StreamMethod<I, O>;
  readonly #signal: AbortSignal;
  readonly #cancel = (): void => this.#stream.close(constants.NGHTTP2_CANCEL);
  #failure: GrpcError | undefined = new GrpcError(grpcCodes.unavailable, 'the client has closed its session');

  constructor(
    stream: ClientHttp2Stream,
    { method, signal }: { method: StreamMethod<I, O>; signal: AbortSignal },
  ) {
    this.#stream = stream;
    this.#method = method;
    this.#signal = signal;
    signal.addEventListener('abort', this.#cancel, { once: true });
    stream.on('response', (headers) => {
      if (headers[':status'] !== 200) this.#failure = refusedWith(headers[':status']);
      // A failure at once comes without trailers of its own.
      else if (headers['grpc-status'] !== undefined) this.#failure = errorInTrailers(headers);
    });
    stream.on('trailers', (trailers) => {
      this.#failure = errorInTrailers(trailers);
    });
    stream.on('error', () => {});
  }

  /** Sends a message; waits while the other side does not read. */
  async send(message: MessageInitShape<I>): Promise<void> {
    await this.sendBytes(toBinary(this.#method.input, create(this.#method.input, message)));
  }

  /** Sends a message that is serialised already. */
  async sendBytes(message: Uint8Array): Promise<void> {
    try {
      await written(this.#stream, frame(message));
    } catch (error) {
      this.#signal.throwIfAborted();
      throw this.#failure ?? error;
    }
  }

  /** Says that no more messages come. */
  end(): void {
    this.#stream.end();
  }

  /** The messages of the other side. Throws what the call failed with: the reason of the signal, or a GrpcError. */
  async *[Symbol.asyncIterator](): AsyncGenerator<MessageShape<O>> {
    try {
      for await (const bytes of receivedMessages(this.#stream)) yield fromBinary(this.#method.output, bytes);
    } catch (error) {
      this.#signal.throwIfAborted();
      // How a stream broke is told better by what the other side said, if it said anything.
      throw this.#failure ?? error;
    }
    this.#signal.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure;
  }

  [Symbol.dispose](): void {
    this.#signal.removeEventListener('abort', this.#cancel);
    if (!this.#stream.closed) this.#cancel();
  }
}

function refusedWith(status: unknown): GrpcError {
  return new GrpcError(grpcCodes.unavailable, `the client answered with HTTP status ${String(status)}`);
}
