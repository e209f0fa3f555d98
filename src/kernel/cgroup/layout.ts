import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { invalid, isSystemError } from '#/base/errors.ts';
import { mount, unmount } from '../mount.ts';
import { type MountInfo, readMountInfo } from '../mountinfo.ts';

/**
 * How this machine's control groups are mounted. "v2": one hierarchy for everything. "v1": a hierarchy for each
 * controller or group of them. "hybrid": v1, and a v2 hierarchy beside it that has the controllers which v1 lacks.
 */
export interface CgroupLayout {
  readonly mode: 'v1' | 'hybrid' | 'v2';
  /** Mount points of v1 by controller ("cpu", "memory", also "name=systemd"); some controllers share one. */
  readonly v1: ReadonlyMap<string, string>;
  /** Mount point of v2, if there is one. */
  readonly v2: string | undefined;
  /** Controllers that v2 owns. */
  readonly v2Controllers: readonly string[];
}

const cgroupRoot = '/sys/fs/cgroup';

const v1Controllers: ReadonlySet<string> = new Set([
  'blkio',
  'cpu',
  'cpuacct',
  'cpuset',
  'devices',
  'freezer',
  'hugetlb',
  'memory',
  'misc',
  'net_cls',
  'net_prio',
  'perf_event',
  'pids',
  'rdma',
]);

/** The name in v1 of a controller of v2. */
const v1Names: Readonly<Record<string, string>> = { io: 'blkio' };

/** Looks at what is mounted. Throws when there is no cgroup file system at all. */
export function detectCgroups(mounts: readonly MountInfo[] = readMountInfo()): CgroupLayout {
  const v1 = new Map<string, string>();
  for (const { type, superOptions, mountPoint } of mounts) {
    if (type !== 'cgroup') continue;
    for (const option of superOptions) {
      // The first mount of a hierarchy is the usual one.
      if ((v1Controllers.has(option) || option.startsWith('name=')) && !v1.has(option))
        v1.set(option, mountPoint);
    }
  }
  const v2 = mounts.find(({ type }) => type === 'cgroup2')?.mountPoint;
  if (v2 === undefined && v1.size === 0) throw new Error('no cgroup file system is mounted');
  const v2Controllers = v2 === undefined ? [] : words(readFileSync(join(v2, 'cgroup.controllers'), 'utf8'));
  return { mode: v2 === undefined ? 'v1' : v1.size === 0 ? 'v2' : 'hybrid', v1, v2, v2Controllers };
}

/**
 * Gives the controllers that v2 still owns on a hybrid host to v1, by mounting a hierarchy for each: OCI runtimes
 * refuse such a mixture. Dispose of the result to take the mounts away again. Does nothing on v1 and v2. EBUSY: a
 * controller is in use in the v2 hierarchy.
 */
export function mountLeftoverControllers(layout: CgroupLayout, root: string = cgroupRoot): Disposable {
  using stack = new DisposableStack();
  for (const controller of layout.mode === 'hybrid' ? layout.v2Controllers : []) {
    const name = v1Names[controller] ?? controller;
    const target = join(root, name);
    if (makeDirectory(target)) stack.defer(() => rmdirSync(target));
    mount(
      { type: 'cgroup', source: 'cgroup', options: ['nosuid', 'nodev', 'noexec', 'relatime', name] },
      target,
    );
    stack.defer(() => unmount(target, { detach: true }));
  }
  return stack.move();
}

/** The place of a controller's files for the group `path`. */
export interface ControllerDirectory {
  readonly version: 1 | 2;
  readonly directory: string;
}

/** Where the files of `controller` (its v1 name) are for the group `path`; undefined when no hierarchy has it. */
export function controllerDirectory(
  layout: CgroupLayout,
  controller: string,
  path: string,
): ControllerDirectory | undefined {
  const group = checkedPath(path);
  const mounted = layout.v1.get(controller);
  if (mounted !== undefined) return { version: 1, directory: join(mounted, group) };
  if (layout.v2 === undefined) return undefined;
  // CPU times are there without a controller; in a hybrid layout the group need not exist in v2, though.
  const owned = layout.v2Controllers.some((name) => (v1Names[name] ?? name) === controller);
  const implicit = layout.mode === 'v2' && (controller === 'cpuacct' || controller === 'cpu');
  return owned || implicit ? { version: 2, directory: join(layout.v2, group) } : undefined;
}

/** The directories of the group `path` ("/skiff/ID") in all hierarchies, each once, whether they exist or not. */
export function cgroupDirs(layout: CgroupLayout, path: string): string[] {
  const group = checkedPath(path);
  const roots = new Set(layout.v1.values());
  if (layout.v2 !== undefined) roots.add(layout.v2);
  return [...roots].map((root) => join(root, group));
}

/** Throws for what would lead out of the hierarchy, or be its root. */
function checkedPath(path: string): string {
  const wrong = !path.startsWith('/') || path === '/' || normalize(path) !== path || path.endsWith('/');
  if (wrong || path.includes('\0')) throw invalid(`invalid cgroup path: "${path}"`);
  return path;
}

/** False: it was there. */
function makeDirectory(path: string): boolean {
  try {
    mkdirSync(path, 0o755);
    return true;
  } catch (error) {
    if (isSystemError(error, 'EEXIST')) return false;
    throw error;
  }
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}
