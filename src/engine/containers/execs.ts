import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { conflict, internal, invalid, messageOf, notFound } from '#/base/errors.ts';
import { newId } from '#/base/ids.ts';
import type { AttachSession } from '#/runtime/attach.ts';
import { StartError } from '#/runtime/failure.ts';
import { ociProcess } from '#/runtime/spec/process.ts';
import { MonitorControl, type WindowSize } from '#/runtime/terminal.ts';
import { type ResolvedUser, resolveUser } from '#/runtime/user.ts';
import { attributesOf } from './attributes.ts';
import { type ContainerRecord, isAlive } from './model.ts';
import { type ContainerParts, runtimeOf } from './parts.ts';
import { parseSecurityOptions } from './security.ts';
import { capabilitiesOf, withDefaults } from './spec-input.ts';
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
  readonly ended: PromiseWithResolvers<void>;
  state:
    | { readonly kind: 'created' | 'starting' }
    | { readonly kind: 'running'; readonly pid: number; readonly terminal: MonitorControl }
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

  constructor(parts: ContainerParts) {
    this.#parts = parts;
  }

  /** Notes what is to run. The user is looked up now, so that a wrong one is refused here. */
  async create(ref: string, request: ExecRequest): Promise<string> {
    const record = this.#running(this.#parts.store.find(ref), ref);
    if (request.command.length === 0) throw invalid('No exec command specified');
    this.#userOf(record, request);
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
      ended: Promise.withResolvers(),
      state: { kind: 'created' },
    };
    this.#execs.set(exec.id, exec);
    this.#publish('exec_create', exec);
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
    const { state } = this.#find(id);
    if (state.kind !== 'running') throw internal(`cannot resize exec ${id}: it is not running`);
    await state.terminal.resize(size);
  }

  /** Those of a container that can still be asked for. */
  idsOf(containerId: string): string[] {
    return this.#of(containerId)
      .filter(({ state }) => state.kind !== 'ended')
      .map(({ id }) => id);
  }

  /** Forgets those of a container that is removed. */
  forget(containerId: string): void {
    for (const { id } of this.#of(containerId)) this.#execs.delete(id);
  }

  #of(containerId: string): Exec[] {
    return [...this.#execs.values()].filter((exec) => exec.containerId === containerId);
  }

  async #launch(
    exec: Exec,
    { attach, consoleSize }: { attach: boolean; consoleSize: WindowSize | undefined },
  ): Promise<AttachSession | undefined> {
    if (exec.state.kind !== 'created') throw conflict(`exec command ${exec.id} is already running`);
    const record = this.#running(this.#parts.store.find(exec.containerId), exec.containerId);
    exec.state = { kind: 'starting' };
    const folder = join(this.#parts.dirs.runOf(record.id), 'execs', exec.id);
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const process = ociProcess(this.#processInput(record, exec.request, consoleSize), this.#parts.host);
      const { monitor } = runtimeOf(this.#parts, record);
      const started = await monitor.exec({
        containerId: record.id,
        folder,
        process,
        stdin: exec.request.stdin,
        attach,
      });
      exec.state = { kind: 'running', pid: started.pid, terminal: new MonitorControl(folder) };
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
    exec.ended.resolve();
    rmSync(folder, { recursive: true, force: true });
    setTimeout(() => this.#execs.delete(exec.id), memory).unref();
  }

  #processInput(
    record: ContainerRecord,
    request: ExecRequest,
    size: WindowSize | undefined,
  ): Parameters<typeof ociProcess>[0] {
    const { config, hostConfig } = record.spec;
    const host = this.#parts.host;
    const cwd = request.workingDir === '' ? config.WorkingDir : request.workingDir;
    const env = [...(config.Env ?? []), ...request.env];
    return {
      args: request.command,
      env: withDefaults(env, { hostname: config.Hostname, terminal: request.tty }),
      cwd: cwd === '' ? '/' : cwd,
      terminal: request.tty,
      consoleSize: size ?? request.consoleSize,
      user: this.#userOf(record, request),
      capabilities: capabilitiesOf(
        request.privileged ? { ...hostConfig, Privileged: true } : hostConfig,
        host,
      ),
      noNewPrivileges: parseSecurityOptions(hostConfig.SecurityOpt ?? []).noNewPrivileges,
      rlimits: (hostConfig.Ulimits ?? []).map(({ Name, Soft, Hard }) => ({
        name: Name,
        soft: Soft,
        hard: Hard,
      })),
      oomScoreAdj: hostConfig.OomScoreAdj,
    };
  }

  #userOf({ id, spec }: ContainerRecord, { user }: ExecRequest): ResolvedUser {
    const groupAdd = spec.hostConfig.GroupAdd ?? [];
    return resolveUser(this.#parts.dirs.rootfsOf(id), {
      user: user === '' ? spec.config.User : user,
      groupAdd,
    });
  }

  #running(record: ContainerRecord, ref: string): ContainerRecord {
    const { state, id } = record;
    if (state.kind === 'paused')
      throw conflict(`Container ${ref} is paused, unpause the container before exec`);
    if (state.kind === 'restarting')
      throw conflict(`Container ${id} is restarting, wait until the container is running`);
    if (!isAlive(state)) throw notRunning(id);
    return record;
  }

  #find(ref: string): Exec {
    const exec =
      this.#execs.get(ref) ??
      (ref.length >= 12 ? [...this.#execs.values()].find(({ id }) => id.startsWith(ref)) : undefined);
    if (exec === undefined || this.#parts.store.get(exec.containerId) === undefined) {
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
