import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { conflict, messageOf, notModified } from '#/base/errors.ts';
import { nowText } from '#/base/time.ts';
import { mount } from '#/kernel/mount.ts';
import { processStartTime } from '#/kernel/proc.ts';
import type { ProcessRef } from '#/runtime/exit-watcher.ts';
import { StartError } from '#/runtime/failure.ts';
import { buildSpec } from '#/runtime/spec/build.ts';
import { resolveUser } from '#/runtime/user.ts';
import { attributesOf } from './attributes.ts';
import { bindsOf } from './container-mounts.ts';
import { refuseOtherDriver } from './driver-change.ts';
import { followExit } from './exit.ts';
import { planLog } from './log-config.ts';
import { type ContainerRecord, type Run, transition } from './model.ts';
import { namespacesOf, shmOf } from './namespaces.ts';
import { type ContainerParts, cgroupOf, runtimeOf } from './parts.ts';
import { releaseRun } from './release.ts';
import { specInput } from './spec-input.ts';
import { dropSubpaths } from './subpaths.ts';
import { removeLocked } from './take-apart.ts';
import { Trace } from './trace.ts';

/** Starts a container that does not run. Throws `notModified` if it runs. */
export async function startContainer(parts: ContainerParts, ref: string): Promise<void> {
  const { id } = parts.store.find(ref);
  using _held = await parts.locks.acquire(id);
  const record = parts.store.find(id);
  checkStartable(record);
  parts.restarts.reset(id);
  await runContainer(parts, { ...record, manuallyStopped: false, restartCount: 0 });
}

/** Throws `notModified` for a container that runs, a conflict for one in another state that has no start. */
export function checkStartable({ id, state }: ContainerRecord): void {
  switch (state.kind) {
    case 'running':
      throw notModified(`Container ${id} is already running`);
    case 'paused':
      throw conflict('cannot start a paused container, try unpause instead');
    case 'removing':
    case 'dead':
      throw conflict('container is marked for removal and cannot be started');
    case 'creating':
    case 'created':
    case 'exited':
    case 'restarting':
      return;
    default:
      state satisfies never;
  }
}

/**
 * One run: mounts, network, spec, monitor, go. The caller holds the container's lock. The folder of the run is made first
 * and removed last, so that after the daemon's death it tells what to look at. A failure is kept in the state.
 */
export async function runContainer(parts: ContainerParts, record: ContainerRecord): Promise<void> {
  const trace = new Trace();
  let running: ContainerRecord;
  try {
    const processes = await launch(parts, record, trace);
    running = parts.store.update(transition(record, { kind: 'running', ...processes, startedAt: nowText() }));
    trace.step('commit');
    parts.events.publish({
      type: 'container',
      action: 'start',
      actor: { id: record.id, attributes: attributesOf(running) },
    });
  } catch (error) {
    await undoFailedStart(parts, record, error);
    throw error;
  }
  followExit(parts, running);
  parts.log.debug('container started', { id: record.id, ...trace.summary() });
}

async function launch(
  parts: ContainerParts,
  record: ContainerRecord,
  trace: Trace,
): Promise<Pick<Run, 'init' | 'monitor'>> {
  const { id, spec } = record;
  const run = parts.dirs.runOf(id);
  const rootfs = parts.dirs.rootfsOf(id);
  refuseOtherDriver(parts, record);
  if (existsSync(run)) await releaseRun(parts, record);
  rmSync(parts.dirs.exitFileOf(id), { force: true });
  mkdirSync(rootfs, { recursive: true, mode: 0o700 });
  const { oci, monitor } = runtimeOf(parts, record);
  parts.cgroupMoves.expect();
  // Its start takes some milliseconds, on another CPU if there is one.
  using prepared = monitor.prepare({
    id,
    bundle: run,
    terminal: spec.config.Tty,
    logPath: logPathOf(parts, record),
    stdin: spec.config.OpenStdin,
    leaveStdinOpen: !spec.config.StdinOnce || spec.config.Tty,
  });
  trace.step('monitor');
  for (const layer of parts.snapshots.mounts(id)) mount(layer, rootfs);
  trace.step('rootfs');
  const network = parts.networks.set(record);
  trace.step('network');
  const user = resolveUser(rootfs, { user: spec.config.User, groupAdd: spec.hostConfig.GroupAdd ?? [] });
  using namespaces = namespacesOf(parts, record, network.namespace);
  const input = specInput(record, {
    rootfs,
    user,
    namespaces: namespaces.input,
    shm: shmOf(parts, record),
    binds: [...network.files, ...(await bindsOf(parts, record))],
    ...network.names,
    init: (spec.hostConfig.Init ?? parts.defaults.init) ? parts.initPath : undefined,
    cgroupsPath: cgroupOf(parts, record),
    host: parts.host,
  });
  trace.step('spec');
  const { pid, monitorPid } = await prepared.create(buildSpec(input, parts.host));
  trace.step('create');
  dropSubpaths(run);
  const processes = { init: processRef(pid), monitor: processRef(monitorPid) };
  parts.attachments.connect(id, { folder: run, init: processes.init });
  await oci.start(id);
  trace.step('start');
  return processes;
}

/** The process that has this number now. */
function processRef(pid: number): ProcessRef {
  return { pid, startTime: processStartTime(pid) ?? '' };
}

/** Where the container's output is logged; undefined for the log driver `none`. Throws on values of options that make no sense. */
function logPathOf(parts: ContainerParts, { id, spec }: ContainerRecord): string | undefined {
  const plan = planLog(spec.hostConfig.LogConfig);
  return plan.kind === 'none' ? undefined : parts.dirs.logOf(id);
}

/** Takes a start back; what goes wrong at that is logged, as the caller is told why the start failed. */
async function undoFailedStart(
  parts: ContainerParts,
  record: ContainerRecord,
  error: unknown,
): Promise<void> {
  const { id, spec } = record;
  parts.attachments.abandon(id);
  await releaseRun(parts, record).catch((failure: unknown) => {
    parts.log.error('cannot free what a failed start had made', { id, error: failure });
  });
  try {
    const failed = keepFailure(parts, record, error);
    // Whoever waits for a container that was to be restarted waits for nothing now.
    if (record.state.kind === 'restarting') parts.waits.exited(id, { exitCode: record.state.exitCode });
    if (spec.hostConfig.AutoRemove) await removeLocked(parts, failed, { volumes: true });
  } catch (failure) {
    parts.log.error('cannot take back a failed start', { id, error: failure });
  }
}

/** Docker shows a container that could not be started as created, with the reason and the code that a shell would give. */
function keepFailure(parts: ContainerParts, record: ContainerRecord, error: unknown): ContainerRecord {
  const message = messageOf(error);
  const exitCode = error instanceof StartError ? error.exitCode : 128;
  const finished = record.state.kind === 'exited' || record.state.kind === 'restarting';
  const failed = finished
    ? { ...record.state, kind: 'exited' as const, exitCode, error: message }
    : { kind: 'created' as const, error: message, exitCode };
  return parts.store.update(transition(record, failed));
}

/** Starts a container whose turn has come by its restart policy; nobody is there to be told of a failure. */
export async function restartDelayed(parts: ContainerParts, id: string): Promise<void> {
  using _held = await parts.locks.acquire(id);
  const record = parts.store.get(id);
  if (record?.state.kind !== 'restarting' || parts.closing.aborted) return;
  try {
    await runContainer(parts, { ...record, restartCount: record.restartCount + 1 });
  } catch (error) {
    parts.log.warn('cannot restart a container', { id, error: messageOf(error) });
    const left = parts.store.get(id);
    // Not even the failure could be noted, on a full disk for example.
    if (left?.state.kind === 'restarting') return parts.restarts.schedule(left);
  }
}
