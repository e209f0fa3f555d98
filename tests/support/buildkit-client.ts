import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import type { Socket } from 'node:net';
import type {
  DescMessage,
  DescMethodServerStreaming,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf';
import type { PacketStream } from '#/api/buildkit/filesync/packets.ts';
import { sendTree } from '#/api/buildkit/filesync/send.ts';
import { GrpcClient } from '#/api/buildkit/grpc/client.ts';
import {
  bidiStream,
  type GrpcHandler,
  GrpcServer,
  methodPath,
  type ServerCall,
  unary,
} from '#/api/buildkit/grpc/server.ts';
import { GrpcError, grpcCodes } from '#/api/buildkit/grpc/status.ts';
import { Content } from '#/api/buildkit/messages/content_pb.ts';
import {
  type BuildHistoryEvent,
  type BuildHistoryRequestSchema,
  Control,
  type SolveRequestSchema,
  type StatusResponse,
} from '#/api/buildkit/messages/control_pb.ts';
import { FileSend } from '#/api/buildkit/messages/filesend_pb.ts';
import { FileSync } from '#/api/buildkit/messages/filesync_pb.ts';
import type { Packet, PacketSchema } from '#/api/buildkit/messages/fsutil_pb.ts';
import { Secrets } from '#/api/buildkit/messages/secrets_pb.ts';
import { silentLogger } from '#/base/log.ts';

type Sent = MessageInitShape<typeof PacketSchema>;

/** What a client of BuildKit gives away while it builds. */
export interface TestSession {
  /** Directories by name; in place of one, a sender of packets that the test has written. */
  readonly directories?: Readonly<Record<string, string | ((stream: PacketStream) => Promise<void>)>>;
  readonly secrets?: Readonly<Record<string, string>>;
}

/** A small client of BuildKit's API, for what real ones do not do and where there is none. */
export class TestBuildKit implements AsyncDisposable {
  readonly session: string = randomUUID();
  readonly rpc: GrpcClient;
  /** The bytes of an archive that the daemon sent. */
  received: Buffer = Buffer.alloc(0);
  readonly #control: Socket;
  readonly #side: Socket;
  readonly #served: Promise<void>;

  private constructor(
    control: Socket,
    { side, parts, id }: { side: Socket; parts: TestSession; id: string },
  ) {
    this.session = id;
    this.#control = control;
    this.#side = side;
    this.rpc = new GrpcClient(control);
    const server = new GrpcServer(this.#services(parts), silentLogger());
    this.#served = server.serve(side, { signal: new AbortController().signal });
  }

  static async connect(socketPath: string, parts: TestSession = {}): Promise<TestBuildKit> {
    const id = randomUUID();
    const methods = [FileSync.method.diffCopy, FileSend.method.diffCopy, Secrets.method.getSecret].map(
      methodPath,
    );
    const headers = {
      'X-Docker-Expose-Session-Uuid': id,
      'X-Docker-Expose-Session-Sharedkey': id,
      'X-Docker-Expose-Session-Grpc-Method': methods,
    };
    const side = await upgrade(socketPath, '/session', headers);
    return new TestBuildKit(await upgrade(socketPath, '/grpc', {}), { side, parts, id });
  }

  /** Builds; gives what exporters say and all that was told meanwhile. */
  async build(
    input: MessageInitShape<typeof SolveRequestSchema>,
    { signal = new AbortController().signal }: { signal?: AbortSignal } = {},
  ): Promise<{ response: Record<string, string>; progress: StatusResponse[] }> {
    const ref = randomUUID();
    const method = { ...Control.method.status, path: methodPath(Control.method.status) };
    using stream = this.rpc.stream(method, { signal });
    await stream.send({ ref });
    stream.end();
    const progress: StatusResponse[] = [];
    const following = (async () => {
      for await (const status of stream) progress.push(status);
    })();
    following.catch(() => {});
    const request = { frontend: 'dockerfile.v0', session: this.session, ...input, ref };
    const { exporterResponse } = await this.rpc.unary(Control.method.solve, request, { signal });
    await following;
    return { response: exporterResponse, progress };
  }

  /** What the daemon tells of builds in its history, until it ends. */
  async history(wish: MessageInitShape<typeof BuildHistoryRequestSchema>): Promise<BuildHistoryEvent[]> {
    return Array.fromAsync(this.#stream(Control.method.listenBuildHistory, wish));
  }

  /** All that is told of a build. */
  async status(ref: string): Promise<StatusResponse[]> {
    return Array.fromAsync(this.#stream(Control.method.status, { ref }));
  }

  /** Something that belongs to a build in the history, or a part of it. */
  async blob(digest: string, part: { offset?: bigint; size?: bigint } = {}): Promise<Buffer> {
    const pieces = await Array.fromAsync(this.#stream(Content.method.read, { digest, ...part }));
    return Buffer.concat(pieces.map(({ data }) => data));
  }

  async *#stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
  ): AsyncGenerator<MessageShape<O>> {
    const { signal } = new AbortController();
    const { input, output } = method;
    using stream = this.rpc.stream({ path: methodPath(method), input, output }, { signal });
    await stream.send(request);
    stream.end();
    yield* stream;
  }

  /** Breaks the session off, as a client does that is killed. */
  breakSession(): void {
    this.#side.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#side.destroy();
    this.#control.destroy();
    await this.#served;
  }

  #services({ directories = {}, secrets = {} }: TestSession): GrpcHandler[] {
    return [
      bidiStream(FileSync.method.diffCopy, (incoming, call) => sending(incoming, { call, directories })),
      bidiStream(FileSend.method.diffCopy, (incoming) => this.#receive(incoming)),
      unary(Secrets.method.getSecret, ({ id }) => {
        const secret = secrets[id];
        if (secret === undefined) throw new GrpcError(grpcCodes.notFound, 'no such secret');
        return Promise.resolve({ data: Buffer.from(secret) });
      }),
    ];
  }

  async *#receive(incoming: AsyncIterable<{ readonly data: Uint8Array }>): AsyncGenerator<never> {
    const pieces: Uint8Array[] = [];
    for await (const { data } of incoming) pieces.push(data);
    this.received = Buffer.concat(pieces);
    yield* [];
  }
}

/** The packets of a directory, while it is sent. */
async function* sending(
  incoming: AsyncIterable<Packet>,
  { call, directories }: { call: ServerCall; directories: NonNullable<TestSession['directories']> },
): AsyncGenerator<Sent> {
  const directory = directories[call.metadata('dir-name') ?? ''];
  if (directory === undefined) throw new GrpcError(grpcCodes.notFound, 'no access allowed to dir');
  const waiting: Sent[] = [];
  let isOver = false;
  let wake = (): void => {};
  const stream: PacketStream = {
    send: (packet) => {
      waiting.push(packet);
      wake();
      return Promise.resolve();
    },
    end: () => {},
    [Symbol.asyncIterator]: () => incoming[Symbol.asyncIterator](),
  };
  const work = typeof directory === 'string' ? sendTree(stream, directory, () => {}) : directory(stream);
  // Whoever waits for it below hears of its failure.
  work.catch(() => {});
  const over = (): void => {
    isOver = true;
    wake();
  };
  work.then(over, over);
  for (;;) {
    const packet = waiting.shift();
    if (packet !== undefined) yield packet;
    else if (isOver) break;
    else
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  }
  await work;
}

/** Takes a connection over for HTTP/2. */
function upgrade(
  socketPath: string,
  path: string,
  headers: Readonly<Record<string, string | string[]>>,
): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const asked = request({
    socketPath,
    path,
    method: 'POST',
    headers: { Connection: 'Upgrade', Upgrade: 'h2c', ...headers },
  });
  asked.on('upgrade', (_answer, socket, head) => {
    if (head.length > 0) socket.unshift(head);
    resolve(socket as Socket);
  });
  asked.on('response', (answer) => {
    answer.resume();
    reject(new Error(`${path} answered ${answer.statusCode}`));
  });
  asked.on('error', reject);
  asked.end();
  return promise;
}
