import { notImplemented } from '#/base/errors.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { blobPath } from '#/storage/images/archive-layout.ts';
import { fileHeader } from '#/tar/tar-entry.ts';
import { type TarInput, writeTar } from '#/tar/tar-writer.ts';
import type { ArchiveSink } from '../../request.ts';
import type { ClientContent } from './client-content.ts';

interface Cancel {
  readonly signal: AbortSignal;
}

interface Coming {
  /** Undefined: there is no more. */
  readonly entry: TarInput | undefined;
  readonly taken: () => void;
}

/** A folder with an OCI layout that a client makes of an archive: blobs as they are written, the index at the end. */
export class ArchiveContent implements ClientContent {
  readonly #sink: ArchiveSink;
  readonly #tag: string;
  #coming = Promise.withResolvers<Coming>();
  #sent: Promise<void> | undefined;

  /** `tag` is what the top is called in the index. */
  constructor(sink: ArchiveSink, tag: string) {
    this.#sink = sink;
    this.#tag = tag;
  }

  size(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  read(): AsyncIterable<Uint8Array> {
    throw notImplemented('reading from an archive that is being made');
  }

  async write(
    { digest, size }: Descriptor,
    bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    control: Cancel,
  ): Promise<void> {
    await this.#put({ ...fileHeader(blobPath(digest), size), body: bytes }, control);
  }

  async finish(top: Descriptor, control: Cancel): Promise<void> {
    const { mediaType, digest, size } = top;
    const annotations = { 'org.opencontainers.image.ref.name': this.#tag };
    const index = {
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      manifests: [{ mediaType, digest, size, annotations }],
    };
    await this.#put(textFile('oci-layout', '{"imageLayoutVersion":"1.0.0"}'), control);
    await this.#put(textFile('index.json', JSON.stringify(index)), control);
    await this.#put(undefined, control);
    await this.#sent;
  }

  /** Resolves when the entry has been read. Rejects when the archive cannot be sent. */
  async #put(entry: TarInput | undefined, control: Cancel): Promise<void> {
    this.#sent ??= this.#sink.write(writeTar(this.#entries()), control);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#coming.resolve({ entry, taken: resolve });
    await Promise.race([promise, this.#sent]);
  }

  async *#entries(): AsyncGenerator<TarInput, void, undefined> {
    for (;;) {
      const { entry, taken } = await this.#coming.promise;
      this.#coming = Promise.withResolvers();
      if (entry !== undefined) yield entry;
      taken();
      if (entry === undefined) return;
    }
  }
}

function textFile(path: string, text: string): TarInput {
  const bytes = Buffer.from(text);
  return { ...fileHeader(path, bytes.length), body: [bytes] };
}
