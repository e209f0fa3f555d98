import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { internal, invalid, messageOf } from '#/base/errors.ts';
import { close } from '#/kernel/at.ts';
import { processStartTime } from '#/kernel/proc.ts';
import { makePipe, type SpawnRequest, spawnProgram } from '#/kernel/spawn.ts';
import type { OciProcess, RuntimeSpec } from '#/oci/runtime-spec.ts';
import { AttachSession } from './attach.ts';
import type { Children } from './children.ts';
import { Conmon } from './conmon-process.ts';
import type { OciRuntime } from './crun.ts';
import { DirectExec } from './direct-exec.ts';
import { specJson } from './spec/build.ts';

/** What all containers have in common. */
export interface MonitorOptions {
  /** conmon's program. */
  readonly path: string;
  readonly runtime: OciRuntime;
  /** Where exit codes of containers are left; see ExitWatcher. */
  readonly exitDir: string;
  /** For conmon's console sockets, whose path has at most 107 bytes; 0700. */
  readonly tmpDir: string;
  /** Who takes note of their ends. */
  readonly children: Children;
}

/** A container to create. */
export interface CreateRequest {
  readonly id: string;
  /** Its folder, 0700: config.json, pidfile, attach, ctl, winsz and oom are put there. */
  readonly bundle: string;
  /** What the spec will say. */
  readonly terminal: boolean;
  /** File for its output (see LogReader); undefined: not logged. */
  readonly logPath: string | undefined;
  /** Gives it a stdin to write to; otherwise it reads /dev/null. Terminals always have one. */
  readonly stdin: boolean;
  /** Its stdin outlives attach sessions. Otherwise the first session that ends closes it. */
  readonly leaveStdinOpen: boolean;
}

/** A container that was created, with its monitor. */
export interface Monitored {
  /** Of its first process, in the daemon's pid namespace. */
  readonly pid: number;
  /** Of its conmon. */
  readonly monitorPid: number;
}

/** A process to start in a running container. */
export interface ExecRequest {
  readonly containerId: string;
  /** A folder of its own, made if missing, 0700: process.json, pidfile, attach and ctl are put there. */
  readonly folder: string;
  readonly process: OciProcess;
  /** Gives it a stdin to write to. */
  readonly stdin: boolean;
  /** Connects to it before it starts, so that no output is lost. */
  readonly attach: boolean;
}

/** A process of exec. */
export interface ExecProcess {
  readonly pid: number;
  /** Its exit code (128 + signal); rejects if its monitor dies without one. */
  readonly exited: Promise<number>;
  /** As asked for; yours to dispose. */
  readonly session: AttachSession | undefined;
}

/** Descriptors of conmon for its three pipes; stdin, stdout and stderr come before. */
const pipes: Readonly<Record<string, string>> = {
  _OCI_SYNCPIPE: '3',
  _OCI_STARTPIPE: '4',
  _OCI_ATTACHPIPE: '5',
};

/** One byte on the start pipe lets conmon go on. */
const go = 'x';

/**
 * Starts processes under conmon, which holds their terminals and pipes, writes their log, and leaves their exit code.
 * It outlives this daemon: nothing here is needed for a container to run on.
 */
export class Monitor {
  readonly #options: MonitorOptions;

  constructor(options: MonitorOptions) {
    this.#options = options;
  }

  /**
   * Starts a monitor that waits for its container to be described: its own start then passes beside the making of mounts
   * and network. Dispose of the result if there is to be no container.
   */
  prepare(request: CreateRequest): PreparedMonitor {
    const { id, bundle } = request;
    const { exitDir } = this.#options;
    const conmon = this.#spawn(bundle, [
      ...this.#commonArgs(id, bundle, request.logPath),
      ...values({ '--exit-dir': exitDir }),
      ...flags({
        '--stdin': request.stdin || request.terminal,
        '--leave-stdin-open': request.leaveStdinOpen,
        '--terminal': request.terminal,
      }),
    ]);
    return new PreparedMonitor(conmon, this.#options, request);
  }

  /** Whether `directExec` works with this runtime. */
  get execsDirectly(): boolean {
    return this.#options.runtime.isCrun;
  }

  /** Gets ready for a process without a monitor and without a terminal. See `DirectExec`. */
  directExec(place: { readonly containerId: string; readonly stdin: boolean }): DirectExec {
    const { runtime, children } = this.#options;
    return new DirectExec({ runtime, children, ...place });
  }

  /** Starts a process in a running container. Throws StartError. */
  async exec(request: ExecRequest): Promise<ExecProcess> {
    const { containerId, folder, process } = request;
    mkdirSync(join(folder, 'exit'), { recursive: true, mode: 0o700 });
    const specPath = join(folder, 'process.json');
    writeFileSync(specPath, specJson(process), { mode: 0o600 });
    const conmon = this.#spawn(folder, [
      ...this.#commonArgs(containerId, folder, undefined),
      '--exec',
      ...values({
        '--exec-process-spec': specPath,
        // Not the containers' folder: conmon names the file after the container.
        '--exit-dir': join(folder, 'exit'),
      }),
      ...flags({
        '--stdin': request.stdin || process.terminal,
        '--exec-attach': request.attach,
        '--terminal': process.terminal,
      }),
    ]);
    using stack = new DisposableStack();
    let session: AttachSession | undefined;
    try {
      conmon.start.write(go);
      if (request.attach) {
        await conmon.attachable('exec', process.args);
        session = stack.use(AttachSession.connect(join(folder, 'attach')));
        conmon.start.write(go);
      }
      conmon.start.end();
      const pid = await conmon.started('exec', process.args);
      session?.follow({ pid, startTime: processStartTime(pid) ?? '' });
      const exited = conmon.exitCode();
      stack.move();
      return { pid, exited, session };
    } catch (error) {
      // Else it would go on without us and start the process.
      this.#options.children.kill(conmon.pid);
      conmon.release();
      throw error;
    }
  }

  #commonArgs(id: string, folder: string, logPath: string | undefined): string[] {
    const { runtime } = this.#options;
    // conmon splits the value at each colon.
    if (logPath?.includes(':')) throw invalid(`the path of a log cannot contain a colon: "${logPath}"`);
    return [
      ...flags({ '--sync': true, '--full-attach': true, '--no-sync-log': true }),
      ...values({ '--api-version': '1', '--log-level': 'error', '--bundle': folder }),
      ...values({ '--cid': id, '--cuuid': id, '--name': id, '--container-pidfile': join(folder, 'pidfile') }),
      ...values({ '--runtime': runtime.path }),
      ...runtime.globalArgs.flatMap((arg) => ['--runtime-arg', arg]),
      ...values({ '--log-path': logPath === undefined ? 'none' : `k8s-file:${logPath}` }),
    ];
  }

  #spawn(folder: string, args: readonly string[]): Conmon {
    const { path, tmpDir, children } = this.#options;
    const attach = args.includes('--exec-attach');
    const { _OCI_ATTACHPIPE, ...always } = pipes;
    using stack = new DisposableStack();
    const open = (): { readonly read: number; readonly write: number } => {
      const pipe = makePipe();
      stack.defer(() => close(pipe.read));
      stack.defer(() => close(pipe.write));
      return pipe;
    };
    const [stderr, sync, start, attachable] = [open(), open(), open(), attach ? open() : undefined];
    const pid = startProgram({
      path,
      args: [path, ...args],
      // It notes that memory ran out as a file "oom" in its working directory.
      cwd: folder,
      // Only this: nothing of the daemon's environment reaches the runtime. UTC makes the log's time stamps plain.
      env: {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        TMPDIR: tmpDir,
        TZ: 'UTC',
        ...always,
        ...(_OCI_ATTACHPIPE !== undefined && attach ? { _OCI_ATTACHPIPE } : {}),
      },
      fds: new Map([
        [2, stderr.write],
        [3, sync.write],
        [4, start.read],
        ...(attachable === undefined ? [] : [[5, attachable.write] as const]),
      ]),
    });
    children.add(pid);
    return new Conmon(pid, {
      stderr: stderr.read,
      sync: sync.read,
      start: start.write,
      attach: attachable?.read,
    });
  }
}

/** A monitor that waits for its container. */
export class PreparedMonitor implements Disposable {
  readonly #conmon: Conmon;
  readonly #runtime: OciRuntime;
  readonly #children: Children;
  readonly #request: CreateRequest;
  #used = false;

  constructor(conmon: Conmon, { runtime, children }: MonitorOptions, request: CreateRequest) {
    this.#conmon = conmon;
    this.#runtime = runtime;
    this.#children = children;
    this.#request = request;
  }

  /**
   * Creates the container: namespaces, cgroup and mounts are made, the process waits for `OciRuntime.start`. Attach
   * before that to get all output. Throws StartError; then nothing of it is left.
   */
  async create(spec: RuntimeSpec): Promise<Monitored> {
    const { id, bundle } = this.#request;
    const json = specJson(this.#runtime.prepare(spec));
    writeFileSync(join(bundle, 'config.json'), json, { mode: 0o600 });
    this.#used = true;
    try {
      this.#conmon.start.end(go);
      const pid = await this.#conmon.started('create', spec.process.args);
      this.#runtime.learn(id, spec);
      return { pid, monitorPid: this.#conmon.pid };
    } catch (error) {
      // The caller must learn why the start failed. If this fails too, so does the deletion when the run is released.
      await this.#runtime.delete(id).catch(() => undefined);
      throw error;
    } finally {
      this.#conmon.release();
    }
  }

  /** Ends the monitor, if it has got no container. */
  [Symbol.dispose](): void {
    if (this.#used) return;
    this.#children.kill(this.#conmon.pid);
    this.#conmon.release();
  }
}

function flags(wanted: Readonly<Record<string, boolean>>): string[] {
  return Object.keys(wanted).filter((name) => wanted[name]);
}

function values(given: Readonly<Record<string, string>>): string[] {
  return Object.entries(given).flat();
}

function startProgram(request: SpawnRequest): number {
  try {
    return spawnProgram(request);
  } catch (error) {
    throw internal(`cannot start conmon: ${messageOf(error)}`, error);
  }
}
