import type { ClientContent } from '#/builder/cache/exchange/client-content.ts';
import type { CacheLocation } from '#/builder/request.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import type { Digest } from '#/oci/digest.ts';
import { methodPath } from '../grpc/server.ts';
import { GrpcError, grpcCodes } from '../grpc/status.ts';
import { Content, WriteAction } from '../messages/content_pb.ts';
import type { ClientSession } from './session.ts';

/** Names one of the client's stores. */
const storeHeader = 'buildkit-attachable-store-id';
/** Bytes of one message; clients take at most 4 MB. */
const pieceSize = 1024 * 1024;

interface Options {
  readonly signal: AbortSignal;
}

/** The folder of the client that a cache comes from or goes to; undefined if the location names none. */
export function cacheFolder(
  session: ClientSession,
  { type, attributes }: CacheLocation,
): ClientContent | undefined {
  const folder = attributes.get('dest') ?? attributes.get('src');
  if (type !== 'local' || folder === undefined) return undefined;
  return new SessionContent(session, `local:${folder}`);
}

/** The folder of the client that an output goes to which is no archive. */
export function outputFolder(session: ClientSession): ClientContent {
  return new SessionContent(session, 'export');
}

/** An OCI image layout of the client, by the name that it gave it. */
export function layoutFolder(session: ClientSession, name: string): ClientContent {
  return new SessionContent(session, `oci:${name}`);
}

/** A store of blobs that the client of a session has. */
class SessionContent implements ClientContent {
  readonly #session: ClientSession;
  readonly #metadata: Readonly<Record<string, string>>;

  constructor(session: ClientSession, store: string) {
    this.#session = session;
    this.#metadata = { [storeHeader]: store };
  }

  async size(digest: Digest, { signal }: Options): Promise<number | undefined> {
    const options = { signal, metadata: this.#metadata };
    try {
      const { info } = await this.#session.rpc.unary(Content.method.info, { digest }, options);
      return info === undefined ? undefined : Number(info.size);
    } catch (error) {
      if (hasCode(error, grpcCodes.notFound)) return undefined;
      throw error;
    }
  }

  async *read({ digest }: Descriptor, { signal }: Options): AsyncGenerator<Uint8Array> {
    const method = { ...Content.method.read, path: methodPath(Content.method.read) };
    using stream = this.#session.rpc.stream(method, { signal, metadata: this.#metadata });
    await stream.send({ digest });
    stream.end();
    for await (const { data } of stream) yield data;
  }

  async write(
    { digest, size }: Descriptor,
    bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    { signal }: Options,
  ): Promise<void> {
    const method = { ...Content.method.write, path: methodPath(Content.method.write) };
    using stream = this.#session.rpc.stream(method, { signal, metadata: this.#metadata });
    const answers = stream[Symbol.asyncIterator]();
    const total = BigInt(size);
    try {
      const ref = `skiff-${digest}`;
      await stream.send({ action: WriteAction.STAT, ref, total, expected: digest });
      await answers.next();
      let offset = 0n;
      for await (const chunk of bytes) {
        for (let at = 0; at < chunk.length; at += pieceSize) {
          const data = chunk.subarray(at, at + pieceSize);
          await stream.send({ action: WriteAction.WRITE, offset, data });
          await answers.next();
          offset += BigInt(data.length);
        }
      }
      await stream.send({ action: WriteAction.COMMIT, total, offset, expected: digest });
      await answers.next();
      stream.end();
      for (let rest = await answers.next(); rest.done !== true; rest = await answers.next());
    } catch (error) {
      if (!hasCode(error, grpcCodes.alreadyExists)) throw error;
    }
  }
}

function hasCode(error: unknown, code: number): boolean {
  return error instanceof GrpcError && error.code === code;
}
