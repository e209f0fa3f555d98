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

/** An archive of the client, such as what it has on its standard input. It is asked for once, when it is needed. */
export class UploadContext implements BuildContext, AsyncDisposable {
  readonly name: string = 'context';
  readonly #session: ClientSession;
  readonly #archives: Archives;
  readonly #path: string;
  #received: Promise<ArchiveContext> | undefined;

  constructor(address: string, { session, archives }: { session: ClientSession; archives: Archives }) {
    this.#path = new URL(address).pathname;
    this.#session = session;
    this.#archives = archives;
  }

  /** Tells whether an address is of an archive that the client sends. */
  static isAddress(url: string): boolean {
    return url.startsWith(sessionAddress) && URL.canParse(url);
  }

  async open(_wish: unknown, { signal }: { readonly signal: AbortSignal }): Promise<ContextTree> {
    this.#received ??= this.#archives.receive(this.#bytes(signal), { name: this.name, signal });
    return (await this.#received).open();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const received = await this.#received?.catch(() => undefined);
    await received?.[Symbol.asyncDispose]();
  }

  async *#bytes(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { input, output } = Upload.method.pull;
    const method = { path: methodPath(Upload.method.pull), input, output };
    if (!this.#session.supports(method.path))
      throw invalid('the client does not send the archive that it names');
    using stream = this.#session.rpc.stream(method, { signal, metadata: { urlpath: this.#path } });
    stream.end();
    for await (const { data } of stream) yield data;
  }
}
