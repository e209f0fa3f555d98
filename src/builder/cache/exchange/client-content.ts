import type { Descriptor } from '#/oci/descriptor.ts';
import type { Digest } from '#/oci/digest.ts';

/** A store of blobs that a client has, such as a folder with an OCI image layout. */
export interface ClientContent {
  /** Bytes of a blob, if it is there. */
  size(digest: Digest, options: { readonly signal: AbortSignal }): Promise<number | undefined>;
  /** The bytes of a blob, which are for the caller to verify. */
  read(descriptor: Descriptor, options: { readonly signal: AbortSignal }): AsyncIterable<Uint8Array>;
  /** Stores a blob. */
  write(
    descriptor: Descriptor,
    bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: { readonly signal: AbortSignal },
  ): Promise<void>;
  /** Everything that `top` refers to has been written, and itself. */
  finish?(top: Descriptor, options: { readonly signal: AbortSignal }): Promise<void>;
}
