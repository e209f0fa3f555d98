import { invalid, messageOf, unavailable } from '#/base/errors.ts';
import type { Filters } from '#/wire/filters.ts';
import { compareVersions } from '#/wire/version.ts';
import type { VolumeCreateRequest, VolumeListResponse } from '#/wire/volumes.ts';
import type { Call, Route } from '../call.ts';
import { type Decoder, string, stringMap, struct } from '../decode/json.ts';
import { readJson } from '../input.ts';
import { empty, json } from '../respond.ts';

interface CreateBody extends VolumeCreateRequest {
  /** Only its presence matters: there are no cluster volumes without a swarm. */
  readonly ClusterVolumeSpec: boolean;
}

const createBody: Decoder<CreateBody> = struct('volume.CreateOptions', {
  Name: string,
  Driver: string,
  DriverOpts: stringMap,
  Labels: stringMap,
  ClusterVolumeSpec: (value) => value !== undefined && value !== null,
});

async function listVolumes(call: Call): Promise<void> {
  const volumes = call.engine.volumes.list(listFilters(call));
  json(call, { Volumes: volumes, Warnings: null } satisfies VolumeListResponse);
}

function listFilters({ query }: Call): Filters {
  try {
    return query.filters();
  } catch (error) {
    throw invalid(`error reading volume filters: ${messageOf(error)}`, error);
  }
}

async function createVolume(call: Call): Promise<void> {
  const { ClusterVolumeSpec: isClusterVolume, ...request } = await readJson(call, createBody);
  if (isClusterVolume) {
    throw unavailable(
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    );
  }
  json(call, await call.engine.volumes.create(request), 201);
}

async function inspectVolume(call: Call): Promise<void> {
  json(call, call.engine.volumes.inspect(call.id));
}

async function updateVolume(): Promise<void> {
  throw unavailable('volume update only valid for cluster volumes, but swarm is unavailable');
}

async function removeVolume(call: Call): Promise<void> {
  await call.engine.volumes.remove(call.id, { force: call.query.bool('force') });
  empty(call);
}

async function pruneVolumes(call: Call): Promise<void> {
  const everything = compareVersions(call.version, '1.42') < 0;
  json(call, await call.engine.volumes.prune(call.query.filters(), { everything }));
}

/** `/volumes`. */
export const volumeRoutes: readonly Route[] = [
  ['GET', '/volumes', listVolumes],
  ['POST', '/volumes/create', createVolume],
  ['POST', '/volumes/prune', pruneVolumes],
  ['GET', '/volumes/:name', inspectVolume],
  ['PUT', '/volumes/:name', updateVolume],
  ['DELETE', '/volumes/:name', removeVolume],
];
