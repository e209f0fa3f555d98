import { type Digest, hexOf } from '#/oci/digest.ts';

/** One fact about a pull or push, in the order in which it happened. Statuses are Docker's words. */
export type TransferProgress =
  /** About the whole: `Digest: sha256:…`. `id` is the tag that is meant. */
  | { readonly kind: 'note'; readonly status: string; readonly id?: string }
  /** A layer has come to a new stage: `Pulling fs layer`, `Pushed`. */
  | { readonly kind: 'stage'; readonly id: string; readonly status: string }
  /** A layer is on its way; many of these can be left out. Bytes. */
  | {
      readonly kind: 'bytes';
      readonly id: string;
      readonly status: string;
      readonly current: number;
      readonly total: number;
    }
  /** A result for programs. */
  | { readonly kind: 'result'; readonly value: object };

/** Takes progress. It must not throw or wait. */
export type OnProgress = (progress: TransferProgress) => void;

/** What a layer is called in progress. */
export function shortDigest(digest: Digest): string {
  return hexOf(digest).slice(0, 12);
}
