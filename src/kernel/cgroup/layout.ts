import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { invalid, isSystemError } from '#/base/errors.ts';
import { mount, unmount } from '../mount.ts';
import { isMountPoint, type MountInfo, readMountInfo } from '../mountinfo.ts';

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

/** Who has mounted it, in the mount's source: tells our mounts from those of others. */
const mountSource = 'skiff';

/**
 * Mounts the v1 hierarchies that are missing, all below `root`: on a hybrid host one for each controller that v2 still
 * owns (OCI runtimes refuse such a mixture), and wherever v1 is used those that only another mount namespace has (runtimes
 * go by /proc/self/cgroup, and would make a container's groups as plain directories in what lies below). Dispose of the
 * result to take the mounts away again; the directories stay, because removing one would also unmount what is mounted on it
 * in other mount namespaces. Does nothing on v2. EBUSY: a controller is in use in the v2 hierarchy.
 */
export function mountLeftoverControllers(layout: CgroupLayout, root: string = cgroupRoot): Disposable {
  using stack = new DisposableStack();
  for (const controllers of missingHierarchies(layout)) {
    const target = join(root, controllers.join(',').replace(/^name=/, ''));
    const words = controllers.every((name) => name.startsWith('name='))
      ? ['none', ...controllers]
      : controllers;
    makeDirectory(target);
    if (mountHierarchy(words, target)) stack.defer(() => unmount(target, { detach: true }));
  }
  return stack.move();
}

/** False: another process has mounted it there a moment ago. */
function mountHierarchy(words: readonly string[], target: string): boolean {
  const options = ['nosuid', 'nodev', 'noexec', 'relatime', ...words];
  try {
    mount({ type: 'cgroup', source: mountSource, options }, target);
    return true;
  } catch (error) {
    if (isSystemError(error, 'EBUSY') && isMountPoint(target)) return false;
    throw error;
  }
}

/**
 * Takes away what `mountLeftoverControllers` of any process has mounted below `root`, except hierarchies that have
 * groups: somebody uses those.
 */
export function unmountLeftoverControllers(root: string = cgroupRoot): void {
  for (const { type, source, mountPoint } of readMountInfo().toReversed()) {
    if (type !== 'cgroup' || source !== mountSource || dirname(mountPoint) !== root) continue;
    if (readdirSync(mountPoint, { withFileTypes: true }).some((entry) => entry.isDirectory())) continue;
    unmount(mountPoint, { detach: true });
  }
}

/** The controllers of each hierarchy that has to be mounted. */
function missingHierarchies({ mode, v1, v2Controllers }: CgroupLayout): string[][] {
  if (mode === 'v2') return [];
  const owned = mode === 'hybrid' ? v2Controllers.map((name) => v1Names[name] ?? name) : [];
  // One line for each hierarchy of this machine, "7:cpu,cpuacct:/group"; that of v2 has no controllers.
  const known = readFileSync('/proc/self/cgroup', 'utf8')
    .split('\n')
    .map((line) => line.split(':')[1] ?? '')
    .filter((names) => names !== '')
    .map((names) => names.split(','));
  const missing = known.filter(([first = '']) => !v1.has(first) && !owned.includes(first));
  return [...owned.map((name) => [name]), ...missing];
}

/** Tells whether any hierarchy has `controller` (its v1 name). */
export function hasController({ v1, v2Controllers }: CgroupLayout, controller: string): boolean {
  return v1.has(controller) || v2Controllers.some((name) => (v1Names[name] ?? name) === controller);
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

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, 0o755);
  } catch (error) {
    if (!isSystemError(error, 'EEXIST')) throw error;
  }
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}
