import { type Digest, digestOf } from '#/oci/digest.ts';

/** Identifies a layer together with all those below it (image-spec, config.md, "Layer ChainID"). */
export type ChainId = Digest;

/** The chain id of the layer `diffId` on top of `parent`. */
export function chainIdOf(parent: ChainId | undefined, diffId: Digest): ChainId {
  return parent === undefined ? diffId : digestOf(`${parent} ${diffId}`);
}
