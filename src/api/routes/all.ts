import type { Route } from '../call.ts';
import { absentRoutes } from './absent.ts';
import { buildRoutes } from './build.ts';
import { buildkitRoutes } from './buildkit.ts';
import { cacheMountRoutes } from './cache-mounts.ts';
import { containerStreamRoutes } from './container-streams.ts';
import { containerRoutes } from './containers.ts';
import { execRoutes } from './exec.ts';
import { imageRoutes } from './images.ts';
import { networkRoutes } from './networks.ts';
import { registryRoutes } from './registries.ts';
import { skiffBuildRoutes } from './skiff-build.ts';
import { systemRoutes } from './system.ts';
import { unimplementedRoutes } from './unimplemented.ts';
import { volumeRoutes } from './volumes.ts';

/** The whole Engine API. What is implemented stands before what is not, because the first of two equal routes wins. */
export const apiRoutes: readonly Route[] = [
  ...systemRoutes,
  ...buildRoutes,
  ...skiffBuildRoutes,
  ...cacheMountRoutes,
  ...containerRoutes,
  ...containerStreamRoutes,
  ...execRoutes,
  ...imageRoutes,
  ...registryRoutes,
  ...volumeRoutes,
  ...networkRoutes,
  ...buildkitRoutes,
  ...absentRoutes,
  ...unimplementedRoutes,
];
