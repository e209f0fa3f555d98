import { posix } from 'node:path';
import { internal, invalid, notImplemented } from '#/base/errors.ts';
import type { ContainerConfig, HostConfig } from '#/wire/containers.ts';
import type { Mount, MountPoint } from '#/wire/mounts.ts';

/** A mount that a container will have, before its source exists. */
export type PlannedMount = {
  readonly destination: string;
  readonly readOnly: boolean;
  /** The options as the client wrote them, for inspect. */
  readonly mode: string;
} & (
  | {
      readonly kind: 'bind';
      readonly source: string;
      /** Empty: the default. */
      readonly propagation: string;
      readonly recursive: boolean;
      /** Make a directory where the source is missing (the `-v` form) or refuse (the `--mount` form). */
      readonly createSource: boolean;
    }
  | {
      readonly kind: 'volume';
      /** Empty: a new anonymous one. */
      readonly name: string;
      readonly driver: string;
      readonly driverOptions: Readonly<Record<string, string>>;
      readonly labels: Readonly<Record<string, string>>;
      readonly subpath: string;
      /** Leave the new volume empty instead of copying what the image has there. */
      readonly noCopy: boolean;
    }
  | { readonly kind: 'tmpfs' }
);

const accessModes: ReadonlySet<string> = new Set(['ro', 'rw']);
const labelModes: ReadonlySet<string> = new Set(['z', 'Z']);
const propagationModes: ReadonlySet<string> = new Set([
  'private',
  'rprivate',
  'shared',
  'rshared',
  'slave',
  'rslave',
]);
const consistencyModes: ReadonlySet<string> = new Set(['consistent', 'cached', 'delegated', 'default']);

/**
 * All mounts of a create request, in the order of precedence: those of other containers (`inherited`, already real),
 * `Binds`, `Mounts`, then the anonymous volumes of the config. Two for one destination are refused, except that a later
 * kind silently gives way to `inherited` and to what was asked for explicitly.
 */
export function planMounts(
  config: ContainerConfig,
  host: HostConfig,
  inherited: readonly PlannedMount[],
): PlannedMount[] {
  const byDestination = new Map<string, PlannedMount>(inherited.map((mount) => [mount.destination, mount]));
  const explicit = new Set<string>();
  const claim = (destination: string): void => {
    if (explicit.has(destination)) throw invalid(`Duplicate mount point: ${destination}`);
    explicit.add(destination);
  };
  const put = (mount: PlannedMount): void => {
    claim(mount.destination);
    byDestination.set(mount.destination, mount);
  };
  for (const bind of host.Binds ?? []) put(parseBind(bind, host.VolumeDriver));
  for (const mount of host.Mounts ?? []) put(planMount(mount));
  for (const path of Object.keys(host.Tmpfs ?? {})) {
    if (!path.startsWith('/')) throw invalid(`invalid mount path: '${path}' mount path must be absolute`);
    if (posix.normalize(path) === '/') throw invalid("invalid specification: destination can't be '/'");
    claim(clean(path));
    byDestination.delete(clean(path));
  }
  for (const path of Object.keys(config.Volumes ?? {})) {
    const destination = clean(posix.resolve('/', path));
    if (destination === '/' || byDestination.has(destination) || explicit.has(destination)) continue;
    byDestination.set(destination, anonymousVolume(destination, host.VolumeDriver));
  }
  return [...byDestination.values()].toSorted((a, b) => (a.destination < b.destination ? -1 : 1));
}

/** One string of `Binds`: `[source:]destination[:options]`; a source that is no absolute path names a volume. */
export function parseBind(text: string, volumeDriver: string): PlannedMount {
  const parts = text.split(':');
  const refuse = (why?: string): Error =>
    internal(
      why === undefined
        ? `invalid volume specification: '${text}'`
        : `invalid volume specification: '${text}': ${why}`,
    );
  if (parts.length > 3 || parts.some((part) => part === '')) throw refuse();
  const [first = '', second, mode = ''] = parts;
  if (second !== undefined && parts.length === 2 && isValidMode(second)) throw refuse();
  if (!isValidMode(mode)) throw internal(`invalid mode: ${mode}`);
  const words = mode === '' ? [] : mode.split(',');
  const source = second === undefined ? '' : first;
  const rawDestination = second ?? first;
  const kind = source.startsWith('/') ? 'bind' : 'volume';
  if (!rawDestination.startsWith('/')) {
    throw refuse(
      `invalid mount config for type "${kind}": invalid mount path: '${rawDestination}' mount path must be absolute`,
    );
  }
  const destination = clean(rawDestination);
  if (destination === '/') {
    throw refuse(`invalid mount config for type "${kind}": invalid specification: destination can't be '/'`);
  }
  const readOnly = words.includes('ro');
  if (kind === 'bind') {
    if (words.includes('nocopy'))
      throw refuse('invalid mount config for type "bind": field VolumeOptions must not be specified');
    const propagation = words.find((word) => propagationModes.has(word)) ?? '';
    return {
      kind,
      source: clean(source),
      destination,
      readOnly,
      mode,
      propagation,
      recursive: true,
      createSource: true,
    };
  }
  if (words.some((word) => propagationModes.has(word)))
    throw refuse('invalid mount config for type "volume": field BindOptions must not be specified');
  return {
    kind,
    name: source,
    destination,
    readOnly,
    mode: mode === '' && source !== '' ? 'z' : mode,
    driver: volumeDriver === '' ? 'local' : volumeDriver,
    driverOptions: {},
    labels: {},
    subpath: '',
    noCopy: words.includes('nocopy'),
  };
}

/** One entry of `Mounts`. */
function planMount(mount: Mount): PlannedMount {
  const { Type: type, Source: source = '', Target: target = '', ReadOnly: readOnly = false } = mount;
  const refuse = (why: string): Error => invalid(`invalid mount config for type "${type ?? ''}": ${why}`);
  if (type === undefined || !['bind', 'volume', 'tmpfs', 'image', 'npipe', 'cluster'].includes(type)) {
    throw refuse('mount type unknown');
  }
  if (type === 'image' || type === 'npipe' || type === 'cluster')
    throw notImplemented(`Mounts of type "${type}" are not implemented`);
  if (target === '') throw refuse('field Target must not be empty');
  if (!target.startsWith('/')) throw refuse(`invalid mount path: '${target}' mount path must be absolute`);
  const destination = clean(target);
  if (destination === '/') throw refuse("invalid specification: destination can't be '/'");
  if (type !== 'bind' && mount.BindOptions !== undefined)
    throw refuse('field BindOptions must not be specified');
  if (type !== 'volume' && mount.VolumeOptions !== undefined)
    throw refuse('field VolumeOptions must not be specified');
  if (type !== 'tmpfs' && mount.TmpfsOptions !== undefined)
    throw refuse('field TmpfsOptions must not be specified');
  if (type === 'tmpfs') {
    if (source !== '') throw refuse('field Source must not be specified');
    return { kind: 'tmpfs', destination, readOnly, mode: '' };
  }
  if (type === 'bind') {
    if (source === '') throw refuse('field Source must not be empty');
    if (!source.startsWith('/')) throw refuse(`invalid mount path: '${source}' mount path must be absolute`);
    const {
      Propagation: propagation = '',
      NonRecursive: nonRecursive = false,
      CreateMountpoint: createSource = false,
    } = mount.BindOptions ?? {};
    if (propagation !== '' && !propagationModes.has(propagation))
      throw refuse(`invalid propagation mode: ${propagation}`);
    return {
      kind: 'bind',
      source: clean(source),
      destination,
      readOnly,
      mode: '',
      createSource,
      propagation,
      recursive: !nonRecursive,
    };
  }
  const options = mount.VolumeOptions ?? {};
  const subpath = options.Subpath ?? '';
  if (subpath !== '' && (subpath.startsWith('/') || subpath.split('/').includes('..'))) {
    throw refuse('subpath must be a relative path within the volume');
  }
  if (subpath !== '' && source === '') throw refuse('must not set Subpath when using anonymous volumes');
  return {
    kind: 'volume',
    name: source,
    destination,
    readOnly,
    mode: 'z',
    subpath,
    driver:
      options.DriverConfig?.Name === undefined || options.DriverConfig.Name === ''
        ? 'local'
        : options.DriverConfig.Name,
    driverOptions: options.DriverConfig?.Options ?? {},
    labels: options.Labels ?? {},
    noCopy: options.NoCopy ?? false,
  };
}

/** The third part of a `VolumesFrom`. Throws `invalid`. */
export function checkInheritance(access: string): void {
  if (!isValidMode(access) || access.split(',').includes('nocopy')) throw invalid(`invalid mode: ${access}`);
}

/** What a container gets from `VolumesFrom`: the mounts of another, perhaps read-only; what is so there stays so. */
export function inheritMounts(mounts: readonly MountPoint[], access: string): PlannedMount[] {
  const words = access.split(',');
  return mounts.flatMap((mount): PlannedMount[] => {
    const readOnly = words.includes('ro') || !mount.RW;
    const common = { destination: mount.Destination, readOnly, mode: mount.Mode };
    if (mount.Type === 'bind') {
      return [
        {
          ...common,
          kind: 'bind',
          source: mount.Source,
          propagation: mount.Propagation,
          recursive: true,
          createSource: false,
        },
      ];
    }
    if (mount.Type === 'volume') {
      return [
        {
          ...anonymousVolume(mount.Destination, mount.Driver ?? 'local'),
          ...common,
          name: mount.Name ?? '',
          noCopy: true,
        },
      ];
    }
    return [];
  });
}

function anonymousVolume(destination: string, driver: string): Extract<PlannedMount, { kind: 'volume' }> {
  return {
    kind: 'volume',
    name: '',
    destination,
    readOnly: false,
    mode: '',
    driver: driver === '' ? 'local' : driver,
    driverOptions: {},
    labels: {},
    subpath: '',
    noCopy: false,
  };
}

/** Docker's rule for the third part of `-v`: known words, at most one of each sort. */
function isValidMode(mode: string): boolean {
  if (mode === '') return true;
  const words = mode.split(',');
  const sorts = [accessModes, labelModes, propagationModes, consistencyModes, new Set(['nocopy'])];
  return (
    words.every((word) => sorts.some((sort) => sort.has(word))) &&
    sorts.every((sort) => words.filter((word) => sort.has(word)).length <= 1)
  );
}

/** A path without doubled or trailing slashes, `.` and `..`. */
export function clean(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}
