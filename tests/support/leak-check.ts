import assert from 'node:assert/strict';
import { type Dirent, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { isSystemError } from '#/base/errors.ts';
import { cgroupDirs, detectCgroups } from '#/kernel/cgroup/layout.ts';
import { readMountInfo } from '#/kernel/mountinfo.ts';
import { Nftables } from '#/kernel/nftables/nftables.ts';
import type { TestDaemon } from './daemon.ts';
import { until } from './until.ts';

/** Everything that a daemon and its containers hold on this machine, to compare. */
export interface Holdings {
  /** Mounts below its folders, network namespaces among them: "type path". */
  readonly mounts: readonly string[];
  /** Network devices of its namespace. */
  readonly links: readonly string[];
  /** The packet filter, without what changes by itself (handles, counters). */
  readonly rules: readonly string[];
  readonly cgroups: readonly string[];
  /** Programs of its containers: monitors, and whatever runs in its control groups. */
  readonly processes: readonly string[];
  /** What is below its exec root. */
  readonly execRoot: readonly string[];
  /** What is below its data root: containers, volumes, blobs, snapshots. */
  readonly data: readonly string[];
  /** How many descriptors of which sort it has; nothing if it does not run. */
  readonly descriptors: Readonly<Record<string, number>>;
}

/** How long what has ended may take to be gone. Milliseconds. */
const patience = 20_000;

/** Runs `work` and then waits until everything is as before it; else the test fails with the difference. */
export async function leakCheck(daemon: TestDaemon, work: () => Promise<void>): Promise<void> {
  const before = holdingsOf(daemon);
  await work();
  await sameAs(daemon, before);
}

/** Waits until the holdings are these, or fails with the difference. */
export async function sameAs(daemon: TestDaemon, wanted: Holdings): Promise<void> {
  const difference = (): unknown => differenceBetween(wanted, holdingsOf(daemon));
  try {
    await until(() => isDeepStrictEqual(difference(), {}), { what: 'everything is as before', patience });
  } catch {
    assert.deepEqual(difference(), {});
  }
}

/** What is there and should not be, and what is not there and should: lines with + and -, by kind. */
function differenceBetween(wanted: Holdings, found: Holdings): Record<string, unknown> {
  const { descriptors: allowed, ...wantedLists } = wanted;
  const { descriptors, ...foundLists } = found;
  const result: Record<string, unknown> = {};
  for (const [kind, lines] of Object.entries(foundLists) as [keyof typeof foundLists, readonly string[]][]) {
    const before = new Set(wantedLists[kind]);
    const now = new Set(lines);
    const changes = [
      ...[...now.difference(before)].map((line) => `+ ${line}`),
      ...[...before.difference(now)].filter((line) => !goesByItself(line)).map((line) => `- ${line}`),
    ];
    if (changes.length > 0) result[kind] = changes;
  }
  // A daemon that has just started has not opened yet what it opens only once.
  const more = Object.entries(descriptors).filter(([name, count]) => count > (allowed[name] ?? 0));
  if (more.length > 0) result['descriptors'] = Object.fromEntries(more);
  return result;
}

/**
 * What may have been there still when the first look was taken, of something that had ended before: the link of a
 * container's network, which the kernel takes away some time after the container, and the mark of a blob that is on its
 * way to the disk. The link of a container that goes on cannot go without other things that do.
 */
function goesByItself(line: string): boolean {
  return line.startsWith('skv') || line.includes('/content/settling/');
}

/** Looks at all that there is now. */
export function holdingsOf(daemon: TestDaemon): Holdings {
  return {
    mounts: mountsOf(daemon),
    links: linksHere(),
    rules: rulesHere(),
    cgroups: cgroupsOf(daemon),
    processes: processesOf(daemon),
    execRoot: filesBelow(join(daemon.dir, 'run')),
    data: ['containers', 'volumes', 'content', 'snapshots'].flatMap((name) =>
      filesBelow(join(daemon.dir, 'data', name), dataDepth),
    ),
    descriptors: descriptorsOf(daemon.pid),
  };
}

/** `snapshots/overlay2/7` is of interest, the files of the container are not. */
const dataDepth = 3;

function mountsOf({ dir }: TestDaemon): string[] {
  return readMountInfo()
    .filter(({ mountPoint }) => mountPoint.startsWith(`${dir}/`))
    .map(({ type, mountPoint }) => `${type} ${mountPoint}`)
    .toSorted();
}

function linksHere(): string[] {
  const lines = readFileSync('/proc/thread-self/net/dev', 'utf8').split('\n').slice(2);
  return lines
    .flatMap((line) => (line.includes(':') ? [line.slice(0, line.indexOf(':')).trim()] : []))
    .toSorted();
}

function rulesHere(): string[] {
  using nft = new Nftables();
  const { nftables } = nft.listJson('list ruleset') as { nftables: readonly unknown[] };
  const volatile = new Set(['handle', 'packets', 'bytes', 'metainfo']);
  return nftables.map((item) =>
    JSON.stringify(item, (key, value: unknown) => (volatile.has(key) ? undefined : value)),
  );
}

function cgroupsOf({ cgroupParent }: TestDaemon): string[] {
  const groups = cgroupDirs(detectCgroups(), cgroupParent).flatMap((dir) =>
    directoriesBelow(dir).map((name) => join(dir, name)),
  );
  return groups.toSorted();
}

function directoriesBelow(dir: string): string[] {
  return entriesOf(dir).flatMap((entry) => {
    if (!entry.isDirectory()) return [];
    return [entry.name, ...directoriesBelow(join(dir, entry.name)).map((name) => join(entry.name, name))];
  });
}

function processesOf({ dir, cgroupParent }: TestDaemon): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      const mine = command.startsWith('/usr/bin/conmon') && command.includes(`${dir}/`);
      const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
      if (mine || groups.includes(`:${cgroupParent}/`)) found.push(`${pid} ${command}`);
    } catch (error) {
      // It has ended meanwhile.
      if (!isSystemError(error, 'ENOENT', 'ESRCH')) throw error;
    }
  }
  return found.toSorted();
}

function filesBelow(dir: string, depth: number = Number.POSITIVE_INFINITY): string[] {
  const found = entriesOf(dir).flatMap((entry) => {
    const path = join(dir, entry.name);
    // A container's own files are of no interest.
    const deeper = entry.isDirectory() && entry.name !== 'rootfs' && depth > 1;
    return deeper ? [path, ...filesBelow(path, depth - 1)] : [path];
  });
  return found.toSorted();
}

function entriesOf(dir: string): Dirent[] {
  try {
    return readdirSync(dir, { withFileTypes: true });
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
}

function descriptorsOf(pid: number): Record<string, number> {
  const counts: Record<string, number> = {};
  if (pid === 0) return counts;
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const name = readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/:\[\d+\]$/, '');
      counts[name] = (counts[name] ?? 0) + 1;
    } catch (error) {
      if (!isSystemError(error, 'ENOENT')) throw error;
    }
  }
  return Object.fromEntries(Object.entries(counts).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
