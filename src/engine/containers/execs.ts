import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { conflict, EngineError, internal, invalid, messageOf, notFound } from '#/base/errors.ts';
import { newId } from '#/base/ids.ts';
import type { ProcessRef } from '#/runtime/exit-watcher.ts';
import { StartError } from '#/runtime/failure.ts';
import type { ProcessStreams } from '#/runtime/output-queue.ts';
import { ociProcess } from '#/runtime/spec/process.ts';
import { MonitorControl, type WindowSize } from '#/runtime/terminal.ts';
import { attributesOf } from './attributes.ts';
import { execProcess, execUser } from './exec-process.ts';
import { type ContainerRecord, isAlive } from './model.ts';
import { type ContainerParts, runtimeOf } from './parts.ts';
import { ReadyExecs } from './ready-execs.ts';
import { SessionStdio, type StdioSession } from './stdio.ts';
import { notRunning } from './stop.ts';

/** What an exec is to run. */
export interface ExecRequest {
  readonly command: readonly string[];
  readonly env: readonly string[];
  /** "" is the container's. */
  readonly user: string;
  readonly workingDir: string;
  readonly privileged: boolean;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly detachKeys: Buffer | undefined;
  readonly consoleSize: WindowSize | undefined;
}

/** An exec as it is now. */
export interface ExecView {
  readonly id: string;
  readonly containerId: string;
  readonly request: ExecRequest;
  readonly running: boolean;
  /** undefined until it has ended. */
  readonly exitCode: number | undefined;
  /** 0 until it was started. */
  readonly pid: number;
}

interface Exec {
  readonly id: string;
  readonly containerId: string;
  readonly request: ExecRequest;
  /** The first process of the run that it was created for. */
  readonly init: ProcessRef;
  readonly ended: PromiseWithResolvers<void>;
  state:
    | { readonly kind: 'created' | 'starting' }
    | { readonly kind: 'running'; readonly pid: number; readonly terminal: MonitorControl | undefined }
    | { readonly kind: 'ended'; readonly pid: number; readonly exitCode: number };
}

/** How long an exec that has ended can still be asked for. Milliseconds. */
const memory = 5 * 60_000;
/** How many execs of one container can wait for their start: nothing else ends one that a client has forgotten. */
const maxWaiting = 1000;
/** What Docker reports for an exec that could not be started. */
const cannotStart = 126;

/** Further processes in running containers. They are known to this daemon only: a later one does not find them. */
export class Execs {
  readonly #parts: ContainerParts;
  readonly #execs = new Map<string, Exec>();
  readonly #ready = new ReadyExecs();

  constructor(parts: ContainerParts) {
    this.#parts = parts;
  }

  /** Notes what is to run. The user is looked up now, so that a wrong one is refused here. */
  async create(ref: string, request: ExecRequest): Promise<string> {
    const record = this.#parts.store.find(ref);
    const init = processOf(record, ref);
    if (request.command.length === 0) throw invalid('No exec command specified');
    execUser(this.#parts, record, request);
    const waiting = this.#of(record.id).filter(({ state }) => state.kind === 'created');
    if (waiting.length >= maxWaiting) {
      throw conflict(
        `container ${record.id} has ${maxWaiting} execs that were created and not started: start some of them, or remove the container`,
      );
    }
    const exec: Exec = {
      id: newId(),
      containerId: record.id,
      request,
      init,
      ended: Promise.withResolvers(),
      state: { kind: 'created' },
    };
    this.#execs.set(exec.id, exec);
    this.#publish('exec_create', exec);
    this.#parts.cgroupMoves.expect();
    // After the answer, while the client gets ready to ask for the start.
    setImmediate(() => this.#makeReady(exec, record));
    return exec.id;
  }

  /** Throws `notFound` at once. */
  inspect(id: string): ExecView {
    const { containerId, request, state } = this.#find(id);
    return {
      id: this.#find(id).id,
      containerId,
      request,
      running: state.kind === 'running' || state.kind === 'starting',
      exitCode: state.kind === 'ended' ? state.exitCode : undefined,
      pid: state.kind === 'running' || state.kind === 'ended' ? state.pid : 0,
    };
  }

  /** Starts it in the background. */
  async start(id: string): Promise<void> {
    const session = await this.#launch(this.#find(id), { attach: false, consoleSize: undefined });
    session?.[Symbol.dispose]();
  }

  /** Starts it with the streams that were asked for at create. */
  async startAttached(
    id: string,
    { consoleSize }: { readonly consoleSize: WindowSize | undefined; readonly signal: AbortSignal },
  ): Promise<StdioSession> {
    const exec = this.#find(id);
    const { tty, stdin, stdout, stderr, detachKeys } = exec.request;
    const session = await this.#launch(exec, { attach: true, consoleSize });
    const onDetach = (): void => this.#publish('exec_detach', exec);
    return new SessionStdio(Promise.resolve(session), {
      tty,
      stdin,
      stdout,
      stderr,
      detachKeys,
      onDetach,
      passOnEof: !tty,
      keepOpen: false,
      // The streams of a terminal end a little before its process.
      ended: exec.ended.promise,
    });
  }

  async resize(id: string, size: WindowSize): Promise<void> {
    const { state, containerId } = this.#find(id);
    const record = this.#parts.store.get(containerId);
    if (record === undefined || !isAlive(record.state)) throw notRunning(containerId);
    if (state.kind !== 'running') throw internal(`cannot resize exec ${id}: it is not running`);
    await state.terminal?.resize(size);
  }

  /** Those of a container that can still be asked for. */
  idsOf(containerId: string): string[] {
    return this.#of(containerId)
      .filter(({ state }) => state.kind !== 'ended')
      .map(({ id }) => id);
  }

  /** Forgets those of a container that is removed. */
  forget(containerId: string): void {
    for (const { id } of this.#of(containerId)) {
      this.#execs.delete(id);
      this.#ready.drop(id);
    }
  }

  #of(containerId: string): Exec[] {
    return [...this.#execs.values()].filter((exec) => exec.containerId === containerId);
  }

  /** Starts the runtime for an exec that will most likely be started. */
  #makeReady(exec: Exec, { id }: ContainerRecord): void {
    const record = this.#parts.store.get(id);
    if (exec.state.kind !== 'created' || !attaches(exec.request) || record?.state.kind !== 'running') return;
    try {
      const { monitor } = runtimeOf(this.#parts, record);
      if (!monitor.execsDirectly) return;
      this.#ready.add(exec.id, record.state.init, () =>
        monitor.directExec({ containerId: id, stdin: exec.request.stdin }),
      );
    } catch (error) {
      // The start tries it again and tells the client.
      this.#parts.log.debug('cannot get ready for an exec', { id: exec.id, error: messageOf(error) });
    }
  }

  async #launch(
    exec: Exec,
    { attach, consoleSize }: { attach: boolean; consoleSize: WindowSize | undefined },
  ): Promise<ProcessStreams | undefined> {
    if (exec.state.kind !== 'created') throw conflict(`exec command ${exec.id} is already running`);
    const record = this.#parts.store.find(exec.containerId);
    const init = processOf(record, record.id);
    const folder = join(this.#parts.dirs.runOf(record.id), 'execs', exec.id);
    exec.state = { kind: 'starting' };
    try {
      const input = execProcess(this.#parts, record, { request: exec.request, size: consoleSize });
      const process = ociProcess(input, this.#parts.host);
      const { monitor } = runtimeOf(this.#parts, record);
      const place = { containerId: record.id, stdin: exec.request.stdin };
      this.#parts.cgroupMoves.expect();
      const ready = this.#ready.take(exec.id, init);
      using direct =
        attach && monitor.execsDirectly && attaches(exec.request)
          ? (ready ?? monitor.directExec(place))
          : undefined;
      if (direct === undefined) ready?.[Symbol.dispose]();
      const started = await (direct?.start(process) ?? monitor.exec({ ...place, folder, process, attach }));
      const terminal = process.terminal ? new MonitorControl(folder) : undefined;
      exec.state = { kind: 'running', pid: started.pid, terminal };
      // crun gives terminals of execs no size. A process that has ended needs none.
      if (input.consoleSize !== undefined) await terminal?.resize(input.consoleSize).catch(unlessEnded);
      this.#publish('exec_start', exec);
      this.#follow(exec, { folder, pid: started.pid, exited: started.exited });
      return started.session;
    } catch (error) {
      this.#end(exec, {
        folder,
        pid: 0,
        exitCode: error instanceof StartError ? error.exitCode : cannotStart,
      });
      throw error;
    }
  }

  #follow(
    exec: Exec,
    { folder, pid, exited }: { folder: string; pid: number; exited: Promise<number> },
  ): void {
    exited.then(
      (exitCode) => {
        this.#end(exec, { folder, pid, exitCode });
        this.#publish('exec_die', exec, { exitCode: String(exitCode) });
      },
      (error: unknown) => {
        this.#parts.log.warn('the exit code of an exec is lost', { id: exec.id, error: messageOf(error) });
        this.#end(exec, { folder, pid, exitCode: 137 });
      },
    );
  }

  #end(exec: Exec, { folder, pid, exitCode }: { folder: string; pid: number; exitCode: number }): void {
    exec.state = { kind: 'ended', pid, exitCode };
    this.#ready.drop(exec.id);
    exec.ended.resolve();
    rmSync(folder, { recursive: true, force: true });
    setTimeout(() => this.#execs.delete(exec.id), memory).unref();
  }

  #find(ref: string): Exec {
    const exec =
      this.#execs.get(ref) ??
      (ref.length >= 12 ? [...this.#execs.values()].find(({ id }) => id.startsWith(ref)) : undefined);
    const record = exec === undefined ? undefined : this.#parts.store.get(exec.containerId);
    if (
      exec === undefined ||
      record === undefined ||
      (exec.state.kind === 'created' && isOver(exec, record))
    ) {
      throw notFound(`No such exec instance: ${ref}`);
    }
    return exec;
  }

  #publish(action: string, exec: Exec, more: Record<string, string> = {}): void {
    const record = this.#parts.store.get(exec.containerId);
    if (record === undefined) return;
    const text =
      action === 'exec_create' || action === 'exec_start'
        ? // As in Docker, a space follows the program even if no arguments do.
          `${action}: ${exec.request.command[0]} ${exec.request.command.slice(1).join(' ')}`
        : action;
    const attributes = { ...attributesOf(record), execID: exec.id, ...more };
    this.#parts.events.publish({ type: 'container', action: text, actor: { id: record.id, attributes } });
  }
}

/** Whether the run has ended that an exec was created for. */
function isOver({ init }: Exec, { state }: ContainerRecord): boolean {
  return !isAlive(state) || state.init.pid !== init.pid || state.init.startTime !== init.startTime;
}

function unlessEnded(error: unknown): void {
  if (!(error instanceof EngineError) || error.kind !== 'conflict') throw error;
}

/** Whether clients want its streams, and without a terminal: then nobody needs a monitor to hold them. */
function attaches({ tty, stdin, stdout, stderr }: ExecRequest): boolean {
  return !tty && (stdin || stdout || stderr);
}

/** The first process of a container in which others can be started now. Throws a conflict for one that has none. */
function processOf({ state, id }: ContainerRecord, ref: string): ProcessRef {
  if (state.kind === 'paused')
    throw conflict(`Container ${ref} is paused, unpause the container before exec`);
  if (state.kind === 'restarting')
    throw conflict(`Container ${id} is restarting, wait until the container is running`);
  if (!isAlive(state)) throw notRunning(id);
  return state.init;
}
