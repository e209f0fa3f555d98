import { notImplemented } from '#/base/errors.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import type { Digest } from '#/oci/digest.ts';
import { Directory } from '#/storage/tree/directory.ts';
import { readLayoutBlob, sizeInLayout } from '../../images/layout-files.ts';
import type { BuildContext } from '../../request.ts';
import type { ClientContent } from './client-content.ts';

interface Cancel {
  readonly signal: AbortSignal;
}

/** A folder with an OCI layout that a client has sent like a context, to be read. */
export class LayoutContent implements ClientContent {
  readonly #context: BuildContext;

  constructor(context: BuildContext) {
    this.#context = context;
  }

  async size(digest: Digest, { signal }: Cancel): Promise<number | undefined> {
    await using tree = await this.#open(signal);
    using layout = Directory.open(tree.root);
    return sizeInLayout(layout, digest);
  }

  async *read(descriptor: Descriptor, { signal }: Cancel): AsyncGenerator<Uint8Array, void, undefined> {
    await using tree = await this.#open(signal);
    using layout = Directory.open(tree.root);
    yield* readLayoutBlob(layout, descriptor);
  }

  write(): Promise<void> {
    return Promise.reject(notImplemented('writing to a folder that a client has sent'));
  }

  #open(signal: AbortSignal): ReturnType<BuildContext['open']> {
    return this.#context.open({ excludes: [] }, { signal, progress: () => {} });
  }
}
