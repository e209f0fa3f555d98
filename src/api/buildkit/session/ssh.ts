import { Duplex } from 'node:stream';
import type { SshSource } from '#/builder/request.ts';
import type { GrpcStream } from '../grpc/client.ts';
import { methodPath } from '../grpc/server.ts';
import { GrpcError, grpcCodes } from '../grpc/status.ts';
import { type BytesMessageSchema, SSH } from '../messages/ssh_pb.ts';
import type { ClientSession } from './session.ts';

/** Names the agent that is meant. */
const idHeader = 'buildkit.ssh.id';

/** The SSH agents that the client of a session forwards. */
export function sessionSsh(session: ClientSession): SshSource {
  return {
    async has(id, { signal }): Promise<boolean> {
      const method = SSH.method.checkAgent;
      if (!session.supports(methodPath(method))) return false;
      try {
        await session.rpc.unary(method, { id }, { signal });
        return true;
      } catch (error) {
        // Clients say of an agent that they do not have that it is unset, without a code.
        if (error instanceof GrpcError && error.code !== grpcCodes.unavailable) return false;
        throw error;
      }
    },
    connect(id): Duplex {
      const abort = new AbortController();
      const { input, output } = SSH.method.forwardAgent;
      const method = { path: methodPath(SSH.method.forwardAgent), input, output };
      const metadata = { [idHeader]: id };
      return new AgentConnection(session.rpc.stream(method, { signal: abort.signal, metadata }));
    },
  };
}

type AgentStream = GrpcStream<typeof BytesMessageSchema, typeof BytesMessageSchema>;

/** Bytes to and from an agent. */
class AgentConnection extends Duplex {
  readonly #stream: AgentStream;
  readonly #incoming: AsyncIterator<{ readonly data: Uint8Array }>;

  constructor(stream: AgentStream) {
    super();
    this.#stream = stream;
    this.#incoming = stream[Symbol.asyncIterator]();
  }

  override _read(): void {
    this.#incoming.next().then(
      ({ value, done }) => {
        if (done === true) this.push(null);
        else if (value.data.length === 0) this._read();
        else this.push(value.data);
      },
      (error: Error) => this.destroy(error),
    );
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    // oxlint-disable-next-line promise/no-callback-in-promise -- streams are made of callbacks
    this.#stream.send({ data: chunk }).then(() => done(), done);
  }

  override _final(done: () => void): void {
    this.#stream.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#stream[Symbol.dispose]();
    done(error);
  }
}
