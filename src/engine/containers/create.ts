import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { conflict, invalid, isKind } from '#/base/errors.ts';
import { newId, shortId } from '#/base/ids.ts';
import { nowText } from '#/base/time.ts';
import { parsePlatform } from '#/oci/platform.ts';
import { checkCapability } from '#/runtime/spec/capabilities.ts';
import type { ImageRecord } from '#/storage/images/record.ts';
import type { ContainerConfig, HostConfig, NetworkingConfig } from '#/wire/containers.ts';
import { findFor } from '../images/find.ts';
import { attributesOf } from './attributes.ts';
import { fillNewVolumes, provideMounts } from './container-mounts.ts';
import { withHostDefaults } from './defaults.ts';
import { discardUnsupported } from './discard-unsupported.ts';
import { ensureUnpacked } from './driver-change.ts';
import { checkLogConfig } from './log-config.ts';
import { commandOf, mergeImageConfig } from './merge.ts';
import type { ContainerRecord, ContainerSpec } from './model.ts';
import { checkInheritance, inheritMounts, type PlannedMount, planMounts } from './mount-plan.ts';
import { checkName, randomName } from './names.ts';
import type { ContainerParts } from './parts.ts';
import { parseSecurityOptions } from './security.ts';
import { takeApart } from './take-apart.ts';
import { validateCreate } from './validate.ts';

/** A create request as the API hands it on: complete values, zero where the client said nothing. */
export interface CreateRequest {
  /** undefined: a random one. */
  readonly name: string | undefined;
  /** `os/arch[/variant]`; undefined: the machine's. */
  readonly platform: string | undefined;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly networking: NetworkingConfig;
}

/**
 * Makes a container that does not run yet. The row comes first, as `creating`; the volumes and the snapshot follow; then
 * the row says `created`. What a failure or the daemon's death leaves in between is taken apart again.
 */
export async function createContainer(
  parts: ContainerParts,
  request: CreateRequest,
): Promise<{ id: string; warnings: string[] }> {
  const { Image, Cmd, Entrypoint } = request.config;
  if (Image === '' && (Cmd ?? []).length + (Entrypoint ?? []).length === 0)
    throw invalid('no command specified');
  const image = imageOf(parts, request);
  const config = mergeImageConfig(request.config, image.config.config ?? {});
  const { host, warnings: discarded } = discardUnsupported(
    withHostDefaults(request.hostConfig, parts.defaults),
    parts.requestFacts.cgroups,
  );
  const warnings = [...discarded, ...validateCreate(config, host, parts.requestFacts)];
  checkEffective(parts, host);
  parts.networks.checkRequest({ config, host, networking: request.networking });
  const planned = planMounts(config, host, inheritedMounts(parts, host));
  const id = newId();
  const name =
    request.name === undefined
      ? randomName((taken) => parts.store.idOfName(taken) !== undefined)
      : checkName(request.name);
  const { path, args } = commandOf(config);
  const spec: ContainerSpec = {
    imageName: request.config.Image,
    config: { ...config, ...namesOf(parts, { config, host, id }) },
    hostConfig: withPeerIds(parts, host),
    networking: request.networking,
    mounts: [],
    path,
    args,
    platform: 'linux',
    driver: parts.snapshots.driver,
  };
  const record: ContainerRecord = {
    id,
    name,
    imageId: image.id,
    created: nowText(),
    spec,
    state: { kind: 'creating' },
    restartCount: 0,
    manuallyStopped: false,
  };
  using _held = await parts.locks.acquire(id);
  parts.store.insert(record);
  try {
    await makeParts(parts, { record, planned, image });
  } catch (error) {
    await undoCreation(parts, record);
    throw error;
  }
  parts.events.publish({
    type: 'container',
    action: 'create',
    actor: { id, attributes: attributesOf(parts.store.get(id) ?? record) },
  });
  return { id, warnings };
}

/** The image to run; one that exists only for another platform than the request names is as good as none. */
function imageOf(
  { images }: ContainerParts,
  { config: { Image: ref }, platform }: CreateRequest,
): ImageRecord {
  return findFor(images, ref, platform === undefined ? undefined : parsePlatform(platform)).image;
}

async function makeParts(
  parts: ContainerParts,
  {
    record,
    planned,
    image,
  }: { record: ContainerRecord; planned: readonly PlannedMount[]; image: ImageRecord },
): Promise<void> {
  const { id, spec } = record;
  mkdirSync(parts.dirs.dataOf(id), { recursive: true, mode: 0o700 });
  const provided = await provideMounts(parts, id, planned);
  await ensureUnpacked(parts, image);
  await parts.snapshots.prepare(id, image.chainId);
  await fillNewVolumes(parts, id, provided);
  const mounts = provided.map(({ point }) => point);
  parts.store.update({
    ...record,
    spec: { ...spec, mounts },
    state: { kind: 'created', error: '', exitCode: 0 },
  });
}

/** Checks what only other containers, or the daemon's configuration, can tell. */
function checkEffective(parts: ContainerParts, host: HostConfig): void {
  parseSecurityOptions(host.SecurityOpt ?? []);
  checkLogConfig(host.LogConfig);
  for (const kind of ['CapAdd', 'CapDrop'] as const) checkCapabilities(kind, host[kind] ?? []);
  for (const mode of [host.PidMode, host.IpcMode]) {
    if (!mode.startsWith('container:')) continue;
    try {
      parts.store.find(mode.slice('container:'.length));
    } catch (error) {
      throw invalid(`No such container: ${mode.slice('container:'.length)}`, error);
    }
  }
  for (const link of host.Links ?? []) {
    const name = link.split(':', 1)[0] ?? '';
    try {
      parts.store.find(name);
    } catch (error) {
      throw invalid(`could not get container for ${name}: No such container: ${name}`, error);
    }
  }
}

function inheritedMounts(parts: ContainerParts, host: HostConfig): PlannedMount[] {
  return (host.VolumesFrom ?? []).flatMap((entry) => {
    const [ref = '', access = ''] = entry.split(':', 2);
    if (ref === '') throw invalid('volumes-from container ID must not be empty');
    checkInheritance(access);
    try {
      return inheritMounts(parts.store.find(ref).spec.mounts, access);
    } catch (error) {
      throw invalid(`No such container: ${ref}`, error);
    }
  });
}

/** The container's own names: those of whose network it shares, as asked for, the host's, else the short id. */
function namesOf(
  parts: ContainerParts,
  { config, host, id }: { config: ContainerConfig; host: HostConfig; id: string },
): Pick<ContainerConfig, 'Hostname' | 'Domainname'> {
  const peer = peerOf(parts, host.NetworkMode);
  if (peer !== undefined) {
    const { Hostname, Domainname } = peer.spec.config;
    return { Hostname, Domainname };
  }
  const { Hostname: asked, Domainname } = config;
  const fallback = host.NetworkMode === 'host' ? hostname() : shortId(id);
  return { Hostname: asked === '' ? fallback : asked, Domainname };
}

/** Names of other containers become ids, so that a rename does not cut the tie. */
function withPeerIds(parts: ContainerParts, host: HostConfig): HostConfig {
  const byId = (mode: string): string => {
    const peer = peerOf(parts, mode);
    return peer === undefined ? mode : `container:${peer.id}`;
  };
  const { NetworkMode, PidMode, IpcMode } = host;
  return { ...host, NetworkMode: byId(NetworkMode), PidMode: byId(PidMode), IpcMode: byId(IpcMode) };
}

/** The container that a `container:NAME` mode names, if it is there yet. */
function peerOf(parts: ContainerParts, mode: string): ContainerRecord | undefined {
  if (!mode.startsWith('container:')) return undefined;
  try {
    return parts.store.find(mode.slice('container:'.length));
  } catch (error) {
    if (isKind(error, 'notFound')) return undefined;
    throw error;
  }
}

/** Takes a container apart that is not complete. What cannot be removed nobody sees; the next daemon tries again. */
async function undoCreation(parts: ContainerParts, record: ContainerRecord): Promise<void> {
  try {
    await takeApart(parts, record, { volumes: true });
  } catch (error) {
    parts.log.error('cannot undo the creation of a container', { id: record.id, error });
  }
}

/** Finishes what the death of the daemon cut off: a container that is not complete goes. */
export async function undoIncomplete(parts: ContainerParts): Promise<void> {
  for (const record of parts.store.incomplete()) {
    parts.log.info('removing a container whose creation was cut off', { id: record.id });
    await undoCreation(parts, record);
  }
}

function checkCapabilities(field: string, names: readonly string[]): void {
  for (const name of names) {
    try {
      checkCapability(name);
    } catch (error) {
      const full = name.toUpperCase().startsWith('CAP_') ? name.toUpperCase() : `CAP_${name.toUpperCase()}`;
      throw invalid(`invalid ${field}: unknown capability: "${full}"`, error);
    }
  }
}

/** Gives a container another name. */
export async function renameContainer(parts: ContainerParts, ref: string, newName: string): Promise<void> {
  if (newName === '') throw invalid('Neither old nor new names may be empty');
  const { id } = parts.store.find(ref);
  using _held = await parts.locks.acquire(id);
  const record = parts.store.find(id);
  if (newName.replace(/^\//, '') === record.name)
    throw invalid('Renaming a container with the same name as its current name');
  if (record.state.kind === 'removing' || record.state.kind === 'dead') {
    throw conflict(`Container ${id} is marked for removal and cannot be renamed`);
  }
  const name = checkNewName(newName);
  const renamed = parts.store.update({ ...record, name });
  parts.events.publish({
    type: 'container',
    action: 'rename',
    actor: { id, attributes: { ...attributesOf(renamed), oldName: `/${record.name}` } },
  });
}

function checkNewName(name: string): string {
  try {
    return checkName(name);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw invalid(
      `Error when allocating new name: ${error.message.replace(`(${name})`, `(/${name.replace(/^\//, '')})`)}`,
      error,
    );
  }
}
