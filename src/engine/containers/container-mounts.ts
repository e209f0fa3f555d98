import { constants, mkdirSync, rmdirSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { invalid, isSystemError } from '#/base/errors.ts';
import { close, O_PATH, openat2, RESOLVE_IN_ROOT } from '#/kernel/at.ts';
import { mount } from '#/kernel/mount.ts';
import { dropMountPoint } from '#/kernel/mount-point.ts';
import type { MountInput } from '#/runtime/spec/input.ts';
import { copyTree } from '#/storage/tree/copy-tree.ts';
import { Directory } from '#/storage/tree/directory.ts';
import type { MountPoint } from '#/wire/mounts.ts';
import type { ContainerRecord } from './model.ts';
import { clean, type PlannedMount } from './mount-plan.ts';
import type { ContainerParts } from './parts.ts';
import { bindPropagation, possiblePropagation } from './propagation.ts';
import { bindSubpath } from './subpaths.ts';

/** A mount whose source exists now. */
export interface ProvidedMount {
  readonly point: MountPoint;
  /** A volume that gets what the image has at its destination, if it is still empty. */
  readonly fill: boolean;
}

/** Makes or looks up the volumes of a new container and takes them into use for it; checks the sources of binds. */
export async function provideMounts(
  parts: ContainerParts,
  id: string,
  planned: readonly PlannedMount[],
): Promise<ProvidedMount[]> {
  const provided: ProvidedMount[] = [];
  for (const mount of planned) provided.push(await provideMount(parts, id, mount));
  return provided;
}

async function provideMount(
  parts: ContainerParts,
  id: string,
  planned: PlannedMount,
): Promise<ProvidedMount> {
  const common = { Destination: planned.destination, Mode: planned.mode, RW: !planned.readOnly };
  switch (planned.kind) {
    case 'tmpfs':
      return { point: { Type: 'tmpfs', Source: '', ...common, Propagation: '' }, fill: false };
    case 'bind':
      if (!planned.createSource && statSync(planned.source, { throwIfNoEntry: false }) === undefined) {
        throw invalid(
          `invalid mount config for type "bind": bind source path does not exist: ${planned.source}`,
        );
      }
      return {
        point: {
          Type: 'bind',
          Source: planned.source,
          ...common,
          Propagation: bindPropagation(planned, parts.dirs.dataRoot),
        },
        fill: false,
      };
    case 'volume': {
      const { name, mountpoint: source } = await parts.volumes.use(id, planned);
      return {
        point: {
          Type: 'volume',
          Name: name,
          Source: source,
          ...common,
          Driver: planned.driver,
          Propagation: '',
        },
        fill: !planned.noCopy && planned.subpath === '',
      };
    }
    default:
      return planned satisfies never;
  }
}

/** Copies what the image has at the destinations of empty volumes into them, as Docker does when a container is made. */
export async function fillNewVolumes(
  parts: ContainerParts,
  id: string,
  provided: readonly ProvidedMount[],
): Promise<void> {
  const empty: MountPoint[] = [];
  for (const { point, fill } of provided) {
    if (fill && (await readdir(await parts.volumes.prepare(point.Name ?? '', id))).length === 0)
      empty.push(point);
  }
  try {
    if (empty.length > 0) await copyFromImage(parts, id, empty);
  } finally {
    for (const { point, fill } of provided) if (fill) await parts.volumes.unmount(point.Name ?? '', id);
  }
}

async function copyFromImage(
  parts: ContainerParts,
  id: string,
  points: readonly MountPoint[],
): Promise<void> {
  const rootfs = parts.dirs.rootfsOf(id);
  mkdirSync(rootfs, { recursive: true, mode: 0o700 });
  try {
    for (const layer of parts.snapshots.mounts(id)) mount(layer, rootfs);
    using root = Directory.open(rootfs);
    for (const point of points) await copyDirectory(root, point);
  } finally {
    dropMountPoint(rootfs);
    rmdirSync(parts.dirs.runOf(id));
  }
}

/** The destination is resolved inside of the image's root: its links lead nowhere else. */
async function copyDirectory(
  root: Directory,
  { Destination: destination, Source: source }: MountPoint,
): Promise<void> {
  let fd: number;
  try {
    fd = openat2(root.fd, destination, { flags: O_PATH | constants.O_DIRECTORY, resolve: RESOLVE_IN_ROOT });
  } catch (error) {
    // The image has no directory there: the volume stays empty.
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return;
    throw error;
  }
  try {
    await copyTree(`/proc/self/fd/${fd}`, source);
  } finally {
    close(fd);
  }
}

/** The binds of a run: volumes are made ready, missing sources of the `-v` form are made. */
export async function bindsOf(parts: ContainerParts, { id, spec }: ContainerRecord): Promise<MountInput[]> {
  const binds: MountInput[] = [];
  for (const point of spec.mounts) {
    if (point.Type === 'tmpfs') continue;
    const requested = spec.hostConfig.Mounts?.find(({ Target }) => clean(Target ?? '') === point.Destination);
    const readonly = point.RW
      ? 'no'
      : requested?.BindOptions?.ReadOnlyNonRecursive === true
        ? 'yes'
        : 'recursive';
    const target = point.Destination;
    if (point.Type === 'volume') {
      const path = await parts.volumes.mount(point.Name ?? '', {
        containerId: id,
        destination: target,
        readOnly: !point.RW,
      });
      const subpath = requested?.VolumeOptions?.Subpath ?? '';
      const source = subpath === '' ? path : bindSubpath(parts.dirs.runOf(id), { volume: path, subpath });
      binds.push({ kind: 'bind', source, target, readonly });
    } else {
      const strict = requested !== undefined && requested.BindOptions?.CreateMountpoint !== true;
      binds.push({
        kind: 'bind',
        source: bindSource(point, strict),
        target,
        readonly,
        propagation: possiblePropagation(point, parts.dirs.dataRoot),
        nonRecursive: requested?.BindOptions?.NonRecursive ?? false,
      });
    }
  }
  return binds;
}

function bindSource({ Source: source }: MountPoint, strict: boolean): string {
  if (statSync(source, { throwIfNoEntry: false }) === undefined) {
    if (strict)
      throw invalid(`invalid mount config for type "bind": bind source path does not exist: ${source}`);
    mkdirSync(source, { recursive: true });
  }
  return source;
}
