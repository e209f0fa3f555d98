import type { Slots } from '#/registry/client/slots.ts';
import type { ChainId } from '#/storage/chain-id.ts';
import type { ImageStore } from '#/storage/images.ts';
import type { Layers } from '#/storage/layers.ts';
import type { BuildCache } from '../cache/build-cache.ts';
import type { BaseImages } from '../images/base-images.ts';
import type { FileOps } from '../ops/files/file-ops.ts';
import type { StepParts } from '../ops/step-parts.ts';
import type { GitSource } from '../sources/git/git-source.ts';
import type { HttpSource } from '../sources/http/http-source.ts';
import type { Flights } from './flights.ts';

/** What builds of one daemon share. */
export interface SolveParts {
  readonly steps: StepParts;
  readonly layers: Layers;
  readonly cache: BuildCache;
  readonly images: BaseImages;
  readonly imageStore: ImageStore;
  readonly files: FileOps;
  readonly git: GitSource;
  readonly http: HttpSource;
  readonly flights: Flights<StepResult, StepOutput>;
  /** Bounds how many processes run at once. */
  readonly slots: Slots;
}

/** What a step has made, or was found to have made before. */
export interface StepResult {
  readonly chainId: ChainId | undefined;
  /** When, RFC 3339. */
  readonly created: string;
}

/** Output of a step's process. */
export interface StepOutput {
  readonly stream: 1 | 2;
  readonly data: Buffer;
}
