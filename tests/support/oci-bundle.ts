import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isSystemError } from '#/base/errors.ts';
import { newId } from '#/base/ids.ts';
import { detectCgroups, mountLeftoverControllers } from '#/kernel/cgroup/layout.ts';
import { removeCgroup } from '#/kernel/cgroup/processes.ts';
import { buildSpec, specJson } from '#/runtime/spec/build.ts';
import { resolveCapabilities } from '#/runtime/spec/capabilities.ts';
import { type HostFacts, readHostFacts } from '#/runtime/spec/host.ts';
import type { ProcessInput, SpecInput } from '#/runtime/spec/input.ts';
import { makeBusyboxRoot } from './busybox.ts';

/** Below this every cgroup of a test run lies, so that runs that go on at the same time do not meet. */
const cgroupParent = `/skiff-test-${process.ppid}-${process.pid}-${newId().slice(0, 6)}`;

/** How a container ended. */
export interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder with a busybox root file system and everything else that containers of a test need; removed at the end. */
export class RuntimeFixture implements Disposable {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'skiff-runtime-'));
  readonly rootfs: string = makeBusyboxRoot(join(this.dir, 'rootfs'));
  readonly runtimeRoot: string = join(this.dir, 'crun');
  readonly exitDir: string = join(this.dir, 'exits');
  readonly host: HostFacts;
  readonly cgroupParent: string = cgroupParent;

  constructor() {
    mountLeftoverControllers(detectCgroups());
    this.host = readHostFacts({ cgroups: detectCgroups() });
    for (const dir of [this.runtimeRoot, this.exitDir]) mkdirSync(dir);
  }

  /** A container's folder with its config.json. */
  bundle(
    change: Partial<SpecInput> = {},
    process: Partial<ProcessInput> = {},
  ): { id: string; bundle: string } {
    const id = newId();
    const bundle = join(this.dir, id);
    mkdirSync(bundle);
    const input = this.specInput({ cgroupsPath: `${cgroupParent}/${id}`, ...change }, process);
    writeFileSync(join(bundle, 'config.json'), specJson(buildSpec(input, this.host)));
    return { id, bundle };
  }

  /** Runs a container with crun alone until it ends. */
  run(change: Partial<SpecInput> = {}, process: Partial<ProcessInput> = {}): Ended {
    const { id, bundle } = this.bundle(change, process);
    const args = [`--root=${this.runtimeRoot}`, 'run', '--bundle', bundle, id];
    const { status, stdout, stderr } = spawnSync('crun', args, { encoding: 'utf8' });
    return { exitCode: status ?? -1, stdout, stderr };
  }

  /** Runs a line of shell in a container. */
  shell(line: string, change: Partial<SpecInput> = {}, process: Partial<ProcessInput> = {}): Ended {
    return this.run(change, { args: ['sh', '-c', line], ...process });
  }

  /** What a plain `docker run busybox` would ask for. */
  specInput(change: Partial<SpecInput> = {}, process: Partial<ProcessInput> = {}): SpecInput {
    const privileged = change.privileged ?? false;
    return {
      rootfs: this.rootfs,
      readonlyRootfs: false,
      process: this.processInput({
        capabilities: resolveCapabilities({ privileged, add: [], drop: [] }, this.host.capabilities),
        ...process,
      }),
      hostname: 'box',
      namespaces: { pid: 'new', network: 'new', ipc: 'new', uts: 'new', cgroup: 'host' },
      mounts: [],
      shm: { kind: 'new', size: 64 << 20 },
      privileged,
      devices: [],
      deviceRules: [],
      resources: {},
      sysctls: {},
      seccomp: { kind: 'default' },
      cgroupsPath: `${cgroupParent}/${newId()}`,
      ...change,
    };
  }

  /** `true` as root. */
  processInput(change: Partial<ProcessInput> = {}): ProcessInput {
    return {
      args: ['true'],
      env: ['PATH=/bin'],
      cwd: '/',
      terminal: false,
      user: { uid: 0, gid: 0, groups: [], home: '/root' },
      capabilities: resolveCapabilities({ privileged: false, add: [], drop: [] }, this.host.capabilities),
      noNewPrivileges: false,
      rlimits: [],
      ...change,
    };
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true, force: true });
    removeCgroups();
  }
}

/** Removes the cgroups of this run; processes that were just killed may still be in them for a moment. */
function removeCgroups(): void {
  for (let attempt = 1; ; attempt++) {
    try {
      removeCgroup(detectCgroups(), cgroupParent);
      return;
    } catch (error) {
      if (!isSystemError(error, 'EBUSY') || attempt === 200) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}
