import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  rmSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { conflict, internal, isSystemError, messageOf } from '#/base/errors.ts';
import { O_CLOEXEC } from '#/kernel/at.ts';
import { type CgroupLayout, detectCgroups } from '#/kernel/cgroup/layout.ts';
import { removeCgroup } from '#/kernel/cgroup/processes.ts';
import { mount, unmount } from '#/kernel/mount.ts';
import { isMountPoint } from '#/kernel/mountinfo.ts';
import { signalProcess } from '#/kernel/pidfd.ts';
import { isAlive } from '#/kernel/proc.ts';
import type { OciResources, RuntimeSpec } from '#/oci/runtime-spec.ts';
import type { ProcessRef } from './exit-watcher.ts';
import { SeccompFilters } from './seccomp-filters.ts';

/** What the runtime knows about a container. */
export interface RuntimeState {
  readonly status: 'creating' | 'created' | 'running' | 'paused' | 'stopped';
  /** 0 when stopped. */
  readonly pid: number;
}

/** Where the runtime is and how to use it. */
export interface OciRuntimeOptions {
  /** The program: crun, runc or another one with the same command line. */
  readonly path: string;
  /** Its state folder; made if missing. On a tmpfs, as a reboot voids it. */
  readonly root: string;
  /**
   * Where to bind-mount the program read-only (a file, made if missing). Then nothing in a container can overwrite it
   * (CVE-2019-5736), and crun need not make and start a copy of itself each time (2 to 4 ms).
   */
  readonly sealed?: string;
}

/** Enough for any message of a runtime. */
const maxOutputBytes = 1 << 20;
const environment: Readonly<Record<string, string>> = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

/**
 * An OCI runtime, driven through its command line. It holds no state of ours. For crun some steps are done without
 * starting it, with the same effect on the kernel and on its state folder (crun 1.8.1: status.c, container.c): see
 * `start`, `kill`, `delete` and `SeccompFilters`.
 */
export class OciRuntime implements Disposable {
  readonly path: string;
  readonly root: string;
  /** First line of `--version`, for example "crun version 1.8.1". */
  readonly version: string;
  /** Its ways beyond the common command line are known. */
  readonly isCrun: boolean;
  readonly #filters: SeccompFilters;
  readonly #seal: string | undefined;
  readonly #cgroups: CgroupLayout;

  private constructor(options: OciRuntimeOptions, version: string) {
    this.path = options.sealed ?? options.path;
    this.root = options.root;
    this.version = version;
    this.isCrun = version.startsWith('crun ');
    this.#filters = new SeccompFilters(options.root);
    this.#seal = options.sealed;
    this.#cgroups = detectCgroups();
  }

  /** Finds out which runtime it is. The cgroups must be mounted as they will be used. Throws `internal` if it does not run. */
  static async open(options: OciRuntimeOptions): Promise<OciRuntime> {
    // With its root, or crun makes a folder at the usual place.
    const output = await run(options.path, [`--root=${options.root}`, '--version']);
    if (options.sealed !== undefined) seal(options.path, options.sealed);
    return new OciRuntime(options, output.split('\n')[0] ?? '');
  }

  /** The arguments that go before the command. */
  get globalArgs(): readonly string[] {
    return [`--root=${this.root}`];
  }

  /** Makes a spec quicker to start with what was learned from earlier ones. */
  prepare(spec: RuntimeSpec): RuntimeSpec {
    return this.isCrun ? this.#filters.apply(spec) : spec;
  }

  /** To be called when the container `id` was created from `spec` (as it was before `prepare`). */
  learn(id: string, spec: RuntimeSpec): void {
    if (this.isCrun) this.#filters.learn(id, spec);
  }

  /** Starts the process of a created container. Throws `conflict` if it is not in that state. */
  async start(id: string): Promise<void> {
    if (this.isCrun && startThroughFifo(join(this.root, id, 'exec.fifo'))) return;
    await this.#run('start', id);
  }

  /**
   * Sends a signal to the container's first process (as crun does: through a pidfd, after a check that the pid is
   * still the same process). Throws `conflict` when it has ended.
   */
  kill(init: ProcessRef, signal: number): void {
    if (!signalProcess(init, signal)) throw conflict('the process has ended');
  }

  /** Freezes all processes. */
  async pause(id: string): Promise<void> {
    await this.#run('pause', id);
  }

  /** Thaws all processes. */
  async resume(id: string): Promise<void> {
    await this.#run('resume', id);
  }

  /** Changes the limits of a container that is created, running or paused. */
  async update(id: string, resources: OciResources): Promise<void> {
    const file = join(this.root, `.update-${randomUUID()}`);
    writeFileSync(file, JSON.stringify(resources), { mode: 0o600, flag: 'wx' });
    try {
      await this.#run('update', `--resources=${file}`, id);
    } finally {
      rmSync(file);
    }
  }

  /** Kills what is left and removes the container's cgroup and state. Fine if there is none. */
  async delete(id: string): Promise<void> {
    if (!this.knows(id)) return;
    if (this.isCrun && this.#deleteEnded(id)) return;
    await this.#run('delete', '--force', id);
  }

  /**
   * What `crun delete` does for a container that has ended and has no processes left: removes its cgroups and its state
   * folder. False, with nothing or a part of it done, if there may be something to kill or systemd to talk to.
   */
  #deleteEnded(id: string): boolean {
    const folder = join(this.root, id);
    const status = readStatus(join(folder, 'status'));
    if (status === undefined || status.systemd || isAlive(status.pid, status.startTime)) return false;
    try {
      // EBUSY: a process is left, of a container that shares the host's pids.
      if (status.cgroup !== '') removeCgroup(this.#cgroups, status.cgroup);
    } catch (error) {
      if (isSystemError(error, 'EBUSY')) return false;
      throw error;
    }
    rmSync(folder, { recursive: true, force: true });
    return true;
  }

  /** Tells whether there is state of a container. */
  knows(id: string): boolean {
    return existsSync(join(this.root, id));
  }

  /** Undefined if it does not know the container. */
  async state(id: string): Promise<RuntimeState | undefined> {
    if (!this.knows(id)) return undefined;
    const { status, pid } = JSON.parse(await this.#run('state', id)) as RuntimeState;
    return { status, pid };
  }

  async #run(...args: readonly string[]): Promise<string> {
    return run(this.path, [...this.globalArgs, ...args]);
  }

  /** Takes the read-only mount away. */
  [Symbol.dispose](): void {
    if (this.#seal === undefined) return;
    unmount(this.#seal, { detach: true });
    unlinkSync(this.#seal);
  }
}

/** What crun notes about a container. */
interface CrunStatus {
  readonly pid: number;
  readonly startTime: string;
  readonly cgroup: string;
  readonly systemd: boolean;
}

/** Reads crun's status file; undefined if there is none, or if it is unlike those that we know. */
function readStatus(path: string): CrunStatus | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
  const status = JSON.parse(text) as Readonly<Record<string, unknown>>;
  const { pid, 'process-start-time': startTime, 'cgroup-path': cgroup, 'systemd-cgroup': systemd } = status;
  if (typeof pid !== 'number' || typeof startTime !== 'number' || typeof cgroup !== 'string')
    return undefined;
  return { pid, startTime: String(startTime), cgroup, systemd: systemd !== false };
}

/**
 * What `crun start` does for a container without hooks: its first process waits for a byte in a FIFO. False if there
 * is no such FIFO or nobody waits, so that crun itself can say why.
 */
function startThroughFifo(fifo: string): boolean {
  let fd: number;
  try {
    fd = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK | O_CLOEXEC);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENXIO')) return false;
    throw error;
  }
  try {
    // Its presence means "created" to crun.
    unlinkSync(fifo);
    writeSync(fd, Buffer.of(0));
    return true;
  } finally {
    closeSync(fd);
  }
}

function seal(path: string, target: string): void {
  // Left by a daemon that was killed; it may be an older version of the program.
  if (existsSync(target) && isMountPoint(target)) unmount(target, { detach: true });
  writeFileSync(target, '', { mode: 0o500 });
  mount({ type: 'none', source: path, options: ['bind'] }, target);
  try {
    mount({ type: 'none', source: 'none', options: ['remount', 'bind', 'ro', 'nodev'] }, target);
  } catch (error) {
    unmount(target, { detach: true });
    throw error;
  }
}

function run(path: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(path, args, { env: environment, maxBuffer: maxOutputBytes }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else
        reject(
          internal(
            `${args.find((arg) => !arg.startsWith('-')) ?? path}: ${stderr.trim() || messageOf(error)}`,
            error,
          ),
        );
    });
  });
}
