import { chmodSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fillCpusets } from '#/kernel/cgroup/cpusets.ts';
import { mount, unmount } from '#/kernel/mount.ts';
import { DirectRun } from '#/runtime/direct-run.ts';
import { buildSpec } from '#/runtime/spec/build.ts';
import { resolveCapabilities } from '#/runtime/spec/capabilities.ts';
import { hostDevices } from '#/runtime/spec/devices.ts';
import type { MountInput, SpecInput } from '#/runtime/spec/input.ts';
import { resolveInRootfs } from '#/runtime/spec/rootfs.ts';
import { defaultNetworkSysctls } from '#/runtime/spec/sysctls.ts';
import { resolveUser } from '#/runtime/user.ts';
import type { InsideProcess, StartInside } from '../../debugger.ts';
import type { RunDefaults } from '../../request.ts';
import { StepError } from '../../step-error.ts';
import type { StepParts } from '../step-parts.ts';
import { folderIn, openPlace, type StepPlace } from './bind-place.ts';
import type { RunDefinition } from './definition.ts';
import { makePoints, missingPoints, removePoints } from './mount-points.ts';
import { type MountSources, readyMounts } from './mounts.ts';
import { nameFiles, stepHostname } from './name-files.ts';
import type { NetworkPool, StepNetwork } from './network-pool.ts';

/** A process to run on a snapshot. */
export interface RunRequest {
  /** The active snapshot that gets what the process writes. */
  readonly snapshot: string;
  readonly definition: RunDefinition;
  readonly defaults: RunDefaults;
  readonly sources: MountSources;
  readonly pool: NetworkPool;
}

/** How a process is followed and ended. */
export interface RunControl {
  readonly signal: AbortSignal;
  /** Takes output. It waits for the promise, if there is one, before it reads on. */
  readonly output: (stream: 1 | 2, data: Buffer) => undefined | Promise<void>;
  /** Called when everything is ready for the process. */
  readonly onReady?: ((start: StartInside) => Promise<void>) | undefined;
  /** Called when the process has failed, before everything is taken away. */
  readonly onFailure?: ((error: unknown, start: StartInside) => Promise<void>) | undefined;
}

/** Where programs are looked for unless an image says. */
const pathVariable = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Runs the process of a RUN instruction to its end. When this is done nothing of it is left but what it has written to the
 * snapshot, where neither its mounts nor the places for them show. Throws StepError if it fails, StartError if it cannot be
 * started, the signal's reason after having killed it.
 */
export async function runStep(parts: StepParts, request: RunRequest, control: RunControl): Promise<void> {
  const { signal } = control;
  signal.throwIfAborted();
  await using place = openPlace(parts);
  const id = basename(place.folder);
  parts.expectMoves();
  const { definition, defaults, sources } = request;
  // One of the client's: it may be there already, as others have left it.
  const parent = join('/', defaults.cgroupParent ?? '');
  if (parent !== '/') fillCpusets(parts.cgroups, parent);
  const network = place.stack.use(request.pool.take(definition.network));
  const files = nameFiles(place.folder, network, {
    dns: parts.defaults.dns,
    extraHosts: [...network.neighbours, ...defaults.extraHosts],
  });
  const ready = await readyMounts(parts, place, { mounts: definition.mounts, sources, signal });
  const mounts = withoutReplaced([...files, ...ready.mounts]);
  const rootfs = mountRoot(parts, place, { snapshot: request.snapshot, mounts });
  signal.throwIfAborted();
  const step = { id, rootfs, network, mounts, env: ready.env, request };
  let started = 0;
  const start: StartInside = (process) => {
    const name = `inside-${++started}`;
    const bundle = folderIn(place, name);
    const run = startIn(parts, { ...step, id: `${id}-${name}` }, { bundle, process, stdin: true });
    // It ends with the step at the latest.
    place.stack.defer(async () => {
      run[Symbol.dispose]();
      await run.exited;
    });
    return run;
  };
  await control.onReady?.(start);
  try {
    const process = { args: definition.args };
    const run = startIn(parts, step, { bundle: place.folder, process, stdin: false });
    const code = await follow(run, control);
    signal.throwIfAborted();
    if (code !== 0) throw new StepError(definition.args.join(' '), code);
  } catch (error) {
    if (!signal.aborted) await control.onFailure?.(error, start);
    throw error;
  }
}

function startIn(
  parts: StepParts,
  step: StepPlan,
  { bundle, process, stdin }: { bundle: string; process: InsideProcess; stdin: boolean },
): DirectRun {
  const spec = buildSpec(specInput(parts, step, process), parts.host);
  const { runtime, children } = parts;
  return new DirectRun({ runtime, children, id: step.id, bundle, spec, stdin });
}

/** Reads the output until the process has ended, which is what happens if anything goes wrong here. */
async function follow(run: DirectRun, { signal, output }: RunControl): Promise<number> {
  const kill = (): void => run.kill();
  signal.addEventListener('abort', kill, { once: true });
  if (signal.aborted) kill();
  try {
    await run.started();
    for await (const frames of run.output()) {
      // What is said after the end was asked for is of no interest, and nobody may be there to take it.
      if (signal.aborted) break;
      for (const { stream, data } of frames) await output(stream === 'stdout' ? 1 : 2, data);
    }
    return await run.exited;
  } finally {
    signal.removeEventListener('abort', kill);
    run[Symbol.dispose]();
    await run.exited;
  }
}

/** The last mount at a place counts. */
function withoutReplaced(mounts: readonly MountInput[]): MountInput[] {
  return [...new Map(mounts.map((mount) => [mount.target, mount])).values()];
}

/**
 * Mounts the snapshot so that there is a place for every mount. What it lacks lies below all layers; only where a layer
 * hides that from view it is made in the snapshot, and removed again.
 */
function mountRoot(
  parts: StepParts,
  place: StepPlace,
  { snapshot, mounts }: { snapshot: string; mounts: readonly MountInput[] },
): string {
  const rootfs = folderIn(place, 'rootfs');
  const below = folderIn(place, 'points');
  // Who is not root in the step sees it as the root directory of places that no layer has.
  chmodSync(below, 0o755);
  const mountAll = (more: readonly string[]): void => {
    for (const layer of parts.snapshots.mounts(snapshot, more)) mount(layer, rootfs);
  };
  mountAll([]);
  const missing = missingPoints(rootfs, mounts);
  if (missing.length > 0) {
    makePoints(below, missing);
    unmount(rootfs, { detach: true });
    mountAll([below]);
  }
  place.stack.defer(() => unmount(rootfs, { detach: true }));
  const made = missing.length > 0 ? makePoints(rootfs, missingPoints(rootfs, mounts)) : [];
  if (made.length > 0) place.stack.defer(() => removePoints(made));
  return rootfs;
}

/** What decides on the processes of a step. */
interface StepPlan {
  readonly id: string;
  readonly rootfs: string;
  readonly network: StepNetwork;
  readonly mounts: readonly MountInput[];
  /** In addition to the definition's. */
  readonly env: readonly string[];
  readonly request: RunRequest;
}

function specInput(parts: StepParts, step: StepPlan, { args, terminal }: InsideProcess): SpecInput {
  const { definition, defaults } = step.request;
  const { insecure } = definition;
  const devices = insecure ? hostDevices() : [];
  const ulimits = new Map(
    [...parts.defaults.ulimits, ...defaults.ulimits].map((limit) => [limit.name, limit]),
  );
  ensureDirectory(step.rootfs, definition.cwd);
  return {
    rootfs: step.rootfs,
    readonlyRootfs: false,
    process: {
      args,
      env: completeEnv([...definition.env, ...step.env]),
      cwd: definition.cwd,
      terminal: terminal !== undefined,
      consoleSize: terminal,
      user: resolveUser(step.rootfs, { user: definition.user, groupAdd: [] }),
      capabilities: resolveCapabilities({ privileged: insecure, add: [], drop: [] }, parts.host.capabilities),
      noNewPrivileges: false,
      rlimits: [...ulimits.values()],
    },
    hostname: stepHostname,
    namespaces: {
      pid: 'new',
      network: step.network.namespace,
      ipc: 'new',
      uts: 'new',
      cgroup: parts.defaults.cgroupns === 'host' ? 'host' : 'new',
    },
    mounts: step.mounts,
    shm: { kind: 'new', size: defaults.shmSize ?? parts.defaults.shmSize },
    privileged: insecure,
    devices,
    deviceRules: [],
    resources: defaults.resources,
    sysctls: step.network.namespace === 'host' || step.network.isShared ? {} : defaultNetworkSysctls,
    seccomp: { kind: 'default' },
    cgroupsPath: join('/', defaults.cgroupParent ?? parts.defaults.cgroupParent, step.id),
  };
}

function completeEnv(env: readonly string[]): readonly string[] {
  return env.some((entry) => entry.startsWith('PATH=')) ? env : [pathVariable, ...env];
}

/** Docker makes the working directory of a process that it starts, if an image lacks it. */
function ensureDirectory(rootfs: string, path: string): void {
  const real = resolveInRootfs(rootfs, path);
  mkdirSync(join(rootfs, real), { recursive: true, mode: 0o755 });
}
