import { migration as storage } from './migrations/0001-storage.ts';
import { migration as containers } from './migrations/0002-containers.ts';
import { migration as network } from './migrations/0003-network.ts';
import { migration as images } from './migrations/0004-images.ts';
import { migration as registries } from './migrations/0005-registries.ts';
import { migration as packedLayers } from './migrations/0006-packed-layers.ts';
import { migration as deflater } from './migrations/0007-deflater.ts';
import { migration as buildCache } from './migrations/0008-build-cache.ts';
import { migration as builtLayers } from './migrations/0009-built-layers.ts';
import { migration as indexes } from './migrations/0010-indexes.ts';
import { migration as buildHistory } from './migrations/0011-build-history.ts';

/** One step of the schema's history. A step that has been released is never changed, only followed by another. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** All steps in order; the file's `user_version` is the number of steps applied. */
export const migrations: readonly Migration[] = [
  storage,
  containers,
  network,
  images,
  registries,
  packedLayers,
  deflater,
  buildCache,
  builtLayers,
  indexes,
  buildHistory,
];
