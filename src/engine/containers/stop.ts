import { conflict, EngineError, internal, invalid, isKind, messageOf, notModified } from '#/base/errors.ts';
import { isKernelSignal, signalNumber } from '#/base/signals.ts';
import { isAlive as isProcessAlive } from '#/kernel/proc.ts';
import type { ContainerExit } from '#/runtime/exit-watcher.ts';
import { attributesOf } from './attributes.ts';
import { type ContainerRecord, isAlive, isSameRun, transition } from './model.ts';
import { type ContainerParts, runtimeOf } from './parts.ts';
import { checkStartable, runContainer } from './start.ts';

/** How to stop; what is undefined comes from the container's config. */
export interface StopOptions {
  /** Name or number. */
  readonly signal?: string | undefined;
  /** Seconds until it is killed; negative: never. */
  readonly timeout?: number | undefined;
}

/** How long a killed process may take to be gone. Milliseconds. */
const killPatience = 10_000;

/** Asks a container to end, and kills it after the timeout. Throws `notModified` if it does not run. */
export async function stopContainer(parts: ContainerParts, ref: string, options: StopOptions): Promise<void> {
  const { id } = parts.store.find(ref);
  const record = await noteStop(parts, id);
  if (record === undefined) throw notModified(`Container ${id} is already stopped`);
  if (isAlive(record.state))
    await endRun(parts, record, { ...options, what: `cannot stop container: ${ref}` });
  publishStop(parts, record);
}

function publishStop(parts: ContainerParts, record: ContainerRecord): void {
  const attributes = attributesOf(parts.store.get(record.id) ?? record);
  parts.events.publish({ type: 'container', action: 'stop', actor: { id: record.id, attributes } });
}

/** Stops it if it runs, and starts it. */
export async function restartContainer(
  parts: ContainerParts,
  ref: string,
  options: StopOptions,
): Promise<void> {
  const { id } = parts.store.find(ref);
  using _kept = parts.restarts.hold(id);
  const record = await noteStop(parts, id);
  if (record !== undefined && isAlive(record.state)) {
    await endRun(parts, record, { ...options, what: `Cannot restart container ${ref}` });
    publishStop(parts, record);
  }
  using _held = await parts.locks.acquire(id);
  const stopped = parts.store.find(id);
  // Somebody may have started it meanwhile.
  if (stopped.state.kind !== 'running') {
    checkStartable(stopped);
    parts.restarts.reset(id);
    await runContainer(parts, { ...stopped, manuallyStopped: false, restartCount: 0 });
  }
  parts.events.publish({
    type: 'container',
    action: 'restart',
    actor: { id, attributes: attributesOf(parts.store.find(id)) },
  });
}

/**
 * Marks it as stopped by request, so that the restart policy leaves it alone; one that waits for its restart is stopped
 * by that. Undefined if there is nothing to stop.
 */
async function noteStop(parts: ContainerParts, id: string): Promise<ContainerRecord | undefined> {
  using _held = await parts.locks.acquire(id);
  const record = parts.store.find(id);
  if (record.state.kind === 'restarting') {
    parts.restarts.cancel(id);
    const exited = transition({ ...record, manuallyStopped: true }, { ...record.state, kind: 'exited' });
    parts.store.update(exited);
    parts.waits.exited(id, { exitCode: record.state.exitCode });
    return exited;
  }
  if (!isAlive(record.state)) return undefined;
  return parts.store.update({ ...record, manuallyStopped: true });
}

/**
 * Stops every container because the daemon ends and they are not to go on without it. They do not count as stopped by
 * request: the next daemon starts those that their restart policy wants up. Call it after `Restarts.close`.
 */
export async function stopForShutdown(parts: ContainerParts, seconds: number): Promise<void> {
  const running = parts.store.all().filter(({ state }) => isAlive(state));
  await Promise.all(
    running.map(async (record) => {
      try {
        const timeout = Math.min(record.spec.config.StopTimeout ?? seconds, seconds);
        await endRun(parts, record, { timeout, what: `cannot stop container ${record.id}` });
        // Its end is told before what it held is freed.
        using _released = await parts.locks.acquire(record.id);
      } catch (error) {
        parts.log.error('cannot stop a container before the daemon ends', { id: record.id, error });
      }
    }),
  );
}

async function endRun(
  parts: ContainerParts,
  record: ContainerRecord,
  options: StopOptions & { what: string },
): Promise<void> {
  const { id, spec } = record;
  const name =
    options.signal ??
    (spec.config.StopSignal === undefined || spec.config.StopSignal === ''
      ? 'SIGTERM'
      : spec.config.StopSignal);
  const signal = stopSignal(name, options.what);
  const timeout = options.timeout ?? spec.config.StopTimeout ?? 10;
  const ended = new AbortController();
  const exit = parts.waits.wait(id, 'next-exit', { signal: ended.signal });
  exit.catch(() => undefined);
  try {
    if (!(await signalRun(parts, record, signal))) return;
    if (await within(exit, timeout < 0 ? undefined : timeout * 1000)) return;
    if (!(await signalRun(parts, record, 9))) return;
    if (!(await within(exit, killPatience))) {
      throw internal(
        `${options.what}: its process did not end within ${killPatience / 1000} s of SIGKILL; a process in uninterruptible sleep waits for a device or a file server`,
      );
    }
  } finally {
    ended.abort();
  }
}

/** Signals the run that `record` describes, and lets it go on if somebody paused it; false if it is over. */
async function signalRun(
  parts: ContainerParts,
  { id, state }: ContainerRecord,
  signal: number,
): Promise<boolean> {
  using _held = await parts.locks.acquire(id);
  const record = parts.store.get(id);
  if (record === undefined || !isSameRun(record.state, state)) return false;
  sendSignal(parts, record, signal);
  publishKill(parts, record, signal);
  await thaw(parts, record);
  return true;
}

function stopSignal(name: string, what: string): number {
  try {
    return signalNumber(name);
  } catch (error) {
    // Docker answers 500 here.
    throw internal(`${what}: ${messageOf(error)}`, error);
  }
}

/** Whether `promise` settles within so many milliseconds; undefined waits for ever. */
async function within(promise: Promise<unknown>, milliseconds: number | undefined): Promise<boolean> {
  if (milliseconds === undefined) return promise.then(() => true);
  const { promise: late, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), milliseconds);
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Sends a signal, SIGKILL unless told otherwise, to the first process of a running container. */
export async function killContainer(parts: ContainerParts, ref: string, signalText: string): Promise<void> {
  try {
    await kill(parts, ref, signalText);
  } catch (error) {
    if (error instanceof EngineError)
      throw new EngineError(error.kind, `cannot kill container: ${ref}: ${error.message}`, { cause: error });
    throw error;
  }
}

async function kill(parts: ContainerParts, ref: string, signalText: string): Promise<void> {
  const signal = signalText === '' ? 9 : signalNumber(signalText);
  if (!isKernelSignal(signal)) throw invalid(`the linux daemon does not support signal ${signalText}`);
  const { id } = parts.store.find(ref);
  using _held = await parts.locks.acquire(id);
  const record = parts.store.find(id);
  if (!isAlive(record.state)) throw notRunning(id);
  const ends = signal === 9 || signal === stopSignalOf(record);
  const marked = ends ? parts.store.update({ ...record, manuallyStopped: true }) : record;
  sendSignal(parts, marked, signal);
  if (ends) await thaw(parts, marked);
  publishKill(parts, record, signal);
}

/** Tells of a signal that was sent to a container. */
export function publishKill(parts: ContainerParts, record: ContainerRecord, signal: number): void {
  const attributes = { ...attributesOf(record), signal: String(signal) };
  parts.events.publish({ type: 'container', action: 'kill', actor: { id: record.id, attributes } });
}

function stopSignalOf({ spec }: ContainerRecord): number {
  const name = spec.config.StopSignal;
  return name === undefined || name === '' ? 15 : signalNumber(name);
}

/** To the process itself, if it is still the one that was started: a pid can be given to another. */
function sendSignal(parts: ContainerParts, record: ContainerRecord, signal: number): void {
  if (!isAlive(record.state)) throw notRunning(record.id);
  try {
    runtimeOf(parts, record).oci.kill(record.state.init, signal);
  } catch (error) {
    // It has ended by itself; the exit is on its way.
    if (!isKind(error, 'conflict')) throw error;
  }
}

/** Lets a paused container go on, so that it can obey a signal; the caller holds the lock, and `record` is the current one. */
async function thaw(parts: ContainerParts, record: ContainerRecord): Promise<void> {
  if (record.state.kind !== 'paused') return;
  try {
    await resume(parts, record);
  } catch (error) {
    // It has ended by itself; the exit is on its way.
    if (!isKind(error, 'conflict')) throw error;
  }
}

/** Freezes or thaws. Throws a conflict if that fails because the container has just ended by itself. */
async function unlessEnded({ id, state }: ContainerRecord, change: () => Promise<void>): Promise<void> {
  try {
    await change();
  } catch (error) {
    throw isAlive(state) && isProcessAlive(state.init.pid, state.init.startTime) ? error : notRunning(id);
  }
}

/** Docker's answer to what needs a running container. */
export function notRunning(id: string): EngineError {
  return conflict(`container ${id} is not running`);
}

/** Freezes all processes of a container. */
export async function pauseContainer(parts: ContainerParts, ref: string): Promise<void> {
  const { id } = parts.store.find(ref);
  using _held = await parts.locks.acquire(id);
  const record = parts.store.find(id);
  if (record.state.kind === 'paused') throw conflict(`Container ${id} is already paused`);
  if (record.state.kind === 'restarting')
    throw conflict(`Container ${id} is restarting, wait until the container is running`);
  if (record.state.kind !== 'running') throw notRunning(id);
  await unlessEnded(record, () => runtimeOf(parts, record).oci.pause(id));
  const paused = parts.store.update(transition(record, { ...record.state, kind: 'paused' }));
  parts.events.publish({
    type: 'container',
    action: 'pause',
    actor: { id, attributes: attributesOf(paused) },
  });
}

/** Lets the processes of a paused container go on. */
export async function unpauseContainer(parts: ContainerParts, ref: string): Promise<void> {
  const { id } = parts.store.find(ref);
  using _held = await parts.locks.acquire(id);
  const record = parts.store.find(id);
  if (record.state.kind !== 'paused') throw internal(`Container ${id} is not paused`);
  await resume(parts, record);
}

async function resume(parts: ContainerParts, record: ContainerRecord): Promise<void> {
  const { id, state } = record;
  if (!isAlive(state)) throw notRunning(id);
  await unlessEnded(record, () => runtimeOf(parts, record).oci.resume(id));
  const running = parts.store.update(transition(record, { ...state, kind: 'running' }));
  parts.events.publish({
    type: 'container',
    action: 'unpause',
    actor: { id, attributes: attributesOf(running) },
  });
}

/** Kills a container's first process and waits until it is gone; for a caller that holds the lock. */
export async function killAndWait(parts: ContainerParts, record: ContainerRecord): Promise<ContainerExit> {
  if (!isAlive(record.state)) throw notRunning(record.id);
  sendSignal(parts, record, 9);
  await thaw(parts, record);
  const signal = AbortSignal.timeout(killPatience);
  try {
    return await parts.exits.wait(record.id, { monitor: record.state.monitor, signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    throw internal(
      `cannot kill container ${record.id}: its process did not end within ${killPatience / 1000} s of SIGKILL`,
      error,
    );
  }
}
