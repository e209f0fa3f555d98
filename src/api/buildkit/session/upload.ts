import { invalid } from '#/base/errors.ts';
import type { ArchiveContext, ArchiveContexts } from '#/builder/context/archive-contexts.ts';
import type { BuildContext, ContextTree } from '#/builder/request.ts';
import { methodPath } from '../grpc/server.ts';
import { Upload } from '../messages/upload_pb.ts';
import type { ClientSession } from './session.ts';

/** What the address of an archive begins with that the client itself sends. */
const sessionAddress = 'http://buildkit-session/';

/** Where archives are unpacked. */
export type Archives = Pick<ArchiveContexts, 'receive'>;

/** Tells whether an address is of an archive that the client sends. */
export function isUpload(url: string): boolean {
  return url.startsWith(sessionAddress) && URL.canParse(url);
}

/** An archive that the client has, such as on its standard input. */
export async function* uploaded(
  session: ClientSession,
  address: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { input, output } = Upload.method.pull;
  const method = { path: methodPath(Upload.method.pull), input, output };
  if (!session.supports(method.path)) throw invalid('the client does not send the archive that it names');
  using stream = session.rpc.stream(method, { signal, metadata: { urlpath: new URL(address).pathname } });
  stream.end();
  for await (const { data } of stream) yield data;
}

/** Files that come as an archive, which is asked for once, when they are needed. */
export class UploadContext implements BuildContext, AsyncDisposable {
  readonly name: string;
  readonly #archive: (signal: AbortSignal) => AsyncIterable<Uint8Array>;
  readonly #archives: Archives;
  #received: Promise<ArchiveContext> | undefined;

  constructor(
    name: string,
    {
      archive,
      archives,
    }: { archive: (signal: AbortSignal) => AsyncIterable<Uint8Array>; archives: Archives },
  ) {
    this.name = name;
    this.#archive = archive;
    this.#archives = archives;
  }

  async open(_wish: unknown, { signal }: { readonly signal: AbortSignal }): Promise<ContextTree> {
    this.#received ??= this.#archives.receive(this.#archive(signal), { name: this.name, signal });
    return (await this.#received).open();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const received = await this.#received?.catch(() => undefined);
    await received?.[Symbol.asyncDispose]();
  }
}
