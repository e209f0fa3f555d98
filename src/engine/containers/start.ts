import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { conflict, EngineError, messageOf, notModified } from '#/base/errors.ts';
import { nowText } from '#/base/time.ts';
import { mount } from '#/kernel/mount.ts';
import { processStartTime } from '#/kernel/proc.ts';
import { buildSpec, specJson } from '#/runtime/spec/build.ts';
import { resolveUser } from '#/runtime/user.ts';
import { attributesOf } from './attributes.ts';
import { bindsOf } from './container-mounts.ts';
import { type ContainerRecord, transition } from './model.ts';
import { namespacesOf, shmOf } from './namespaces.ts';
import type { ContainerParts } from './parts.ts';
import { releaseRun } from './release.ts';
import { specInput } from './spec-input.ts';
import { Trace } from './trace.ts';

/** Starts a container that does not run. Throws `notModified` if it runs. */
export async function startContainer(parts: ContainerParts, ref: string): Promise<void> {
  const { id } = parts.store.find(ref);
  using _held = await parts.locks.acquire(id);
  const record = parts.store.find(id);
  checkStartable(record);
  await runContainer(parts, { ...record, manuallyStopped: false, restartCount: 0 });
}

function checkStartable({ id, state }: ContainerRecord): void {
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
  try {
    const pid = await launch(parts, record, trace);
    const running = parts.store.update(
      transition(record, {
        kind: 'running',
        pid,
        startTime: processStartTime(pid) ?? '',
        startedAt: nowText(),
      }),
    );
    trace.step('commit');
    parts.events.publish({
      type: 'container',
      action: 'start',
      actor: { id: record.id, attributes: attributesOf(running) },
    });
  } catch (error) {
    await releaseRun(parts, record);
    parts.attachments.abandon(record.id);
    keepFailure(parts, record, error);
    throw error;
  }
  // Only now: an exit that was seen earlier would have found a container that does not run.
  parts.exits.watch(record.id);
  parts.log.debug('container started', { id: record.id, ...trace.summary() });
}

async function launch(parts: ContainerParts, record: ContainerRecord, trace: Trace): Promise<number> {
  const { id, spec } = record;
  const run = parts.dirs.runOf(id);
  const rootfs = parts.dirs.rootfsOf(id);
  if (existsSync(run)) await releaseRun(parts, record);
  mkdirSync(rootfs, { recursive: true, mode: 0o700 });
  for (const layer of parts.snapshots.mounts(id)) mount(layer, rootfs);
  trace.step('rootfs');
  const network = await parts.networks.set(record);
  trace.step('network');
  const user = resolveUser(rootfs, { user: spec.config.User, groupAdd: spec.hostConfig.GroupAdd ?? [] });
  const input = specInput(record, {
    rootfs,
    user,
    namespaces: namespacesOf(parts, record, network.namespace),
    shm: shmOf(parts, record),
    binds: [...network.files, ...(await bindsOf(parts, record))],
    hostname: spec.config.Hostname,
    init: (spec.hostConfig.Init ?? parts.defaults.init) ? parts.initPath : undefined,
    cgroupsPath: join(
      '/',
      spec.hostConfig.CgroupParent === '' ? parts.cgroupParent : spec.hostConfig.CgroupParent,
      id,
    ),
    host: parts.host,
  });
  writeFileSync(join(run, 'config.json'), specJson(buildSpec(input, parts.host)), { mode: 0o600 });
  trace.step('spec');
  const { pid } = await parts.monitor.create({
    id,
    bundle: run,
    logPath: parts.dirs.logOf(id),
    tty: spec.config.Tty,
    stdin: spec.config.OpenStdin,
    leaveStdinOpen: !spec.config.StdinOnce,
  });
  trace.step('create');
  await parts.attachments.connect(id, run);
  trace.step('attach');
  await parts.runtimes.get(spec.hostConfig.Runtime ?? '')?.start(id);
  trace.step('start');
  return pid;
}

/** Docker shows a container that could not be started as created, with the reason and the code that a shell would give. */
function keepFailure(parts: ContainerParts, record: ContainerRecord, error: unknown): void {
  const message = messageOf(error);
  const exitCode = exitCodeOf(error, message);
  const finished = record.state.kind === 'exited' || record.state.kind === 'restarting';
  const failed = finished
    ? { ...record.state, kind: 'exited' as const, exitCode, error: message }
    : { kind: 'created' as const, error: message, exitCode };
  parts.store.update(transition(record, failed));
}

function exitCodeOf(error: unknown, message: string): number {
  if (!(error instanceof EngineError)) return 128;
  if (/executable file not found|no such file or directory/.test(message)) return 127;
  if (/permission denied|is a directory/.test(message)) return 126;
  return 128;
}
