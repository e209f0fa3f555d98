import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { close } from '#/kernel/at.ts';
import { signalProcess } from '#/kernel/pidfd.ts';
import type { PipeReader } from '#/kernel/pipe-reader.ts';
import { processStartTime } from '#/kernel/proc.ts';
import { type PtySize, resizeHeldPtys } from '#/kernel/pty.ts';
import type { RuntimeSpec } from '#/oci/runtime-spec.ts';
import type { Children } from './children.ts';
import type { OciRuntime } from './crun.ts';
import type { ProcessRef } from './exit-watcher.ts';
import { startError } from './failure.ts';
import type { OutputFrame } from './output-queue.ts';
import { type RuntimeStreams, startOnTerminal, startPiped } from './piped-runtime.ts';
import { specJson } from './spec/build.ts';

/** A container to run from its start to its end. */
export interface DirectRunOptions {
  readonly runtime: OciRuntime;
  readonly children: Children;
  readonly id: string;
  /** A folder for config.json, 0700. */
  readonly bundle: string;
  readonly spec: RuntimeSpec;
  /** Gives the process a stdin to write to; otherwise it reads /dev/null. */
  readonly stdin: boolean;
}

/** What stands for the code when the runtime did not live to tell it: as if killed. */
const lostExitCode = 137;
/** More than the digits of any pid. */
const maxReportBytes = 64;
const SIGKILL = 9;
/** Of a terminal that nobody has said the size of. */
const defaultSize = { height: 24, width: 80 };

/**
 * A container that lives as long as one call: the runtime makes it, waits for its process, takes it away again and ends
 * with that process's exit code. No monitor, no log; the daemon holds its pipes.
 */
export class DirectRun implements Disposable {
  readonly #options: DirectRunOptions;
  readonly #pid: number;
  readonly #report: PipeReader;
  readonly #session: RuntimeStreams;
  readonly #started = Promise.withResolvers<number | undefined>();
  readonly #exited = Promise.withResolvers<number>();
  #running: ProcessRef | undefined;
  #killed = false;
  #ended = false;

  /** Starts the runtime. Throws `internal` if that fails, `invalid` for text with a NUL. */
  constructor(options: DirectRunOptions) {
    const { runtime, children, id, bundle, spec, stdin } = options;
    this.#options = options;
    writeFileSync(join(bundle, 'config.json'), specJson(runtime.prepare(spec)), { mode: 0o600 });
    const args = ['run', `--bundle=${bundle}`, id];
    const { terminal, consoleSize: size = defaultSize } = spec.process;
    const started = terminal ? startOnTerminal(runtime, args, size) : startPiped(runtime, { args, stdin });
    if (started.spec !== undefined) close(started.spec);
    this.#pid = started.pid;
    this.#report = started.report;
    this.#report.onData = (data) => this.#start(Number(data.toString('latin1')));
    this.#session = started.session;
    children.add(this.#pid, (code) => this.#end(code));
  }

  /** Waits until the process runs, or has run. Throws StartError if there is none. */
  async started(): Promise<void> {
    if ((await this.#started.promise) !== undefined) return;
    const { args } = this.#options.spec.process;
    throw startError('create', this.#session.takeErrors(), args[0] ?? '');
  }

  /** The output; one reader only. Who does not read stops the process when the pipes are full. */
  output(): AsyncGenerator<readonly OutputFrame[], void, undefined> {
    return this.#session.output();
  }

  /** Sends input; see `ProcessStreams.write`. */
  write(data: Uint8Array): Promise<boolean> {
    return this.#session.write(data);
  }

  /** Ends the input. */
  async closeStdin(): Promise<void> {
    await this.#session.closeStdin();
  }

  /** Tells the process the size of its terminal; one without a terminal does not hear of it. */
  resize(size: PtySize): void {
    if (this.#ended || this.#session.resize === undefined) return;
    // The process is on a terminal that the runtime has made and connects with ours. crun never looks at the size of ours
    // again, so it is told about for it; others do when they get the signal, which the kernel does not send them.
    if (resizeHeldPtys(this.#pid, size)) return;
    this.#session.resize(size);
    process.kill(this.#pid, 'SIGWINCH');
  }

  /** The exit code (128 + signal). All processes of the container are gone then. */
  get exited(): Promise<number> {
    return this.#exited.promise;
  }

  /** Ends all processes of the container, also of one that only comes into being. */
  kill(): void {
    this.#killed = true;
    // With the first process of a pid namespace the kernel ends all of them.
    if (this.#running !== undefined && !this.#ended) signalProcess(this.#running, SIGKILL);
  }

  /** Kills what runs and drops its output; `exited` tells when it is gone. */
  [Symbol.dispose](): void {
    this.kill();
    this.#session[Symbol.dispose]();
  }

  #start(pid: number): void {
    const { runtime, id, spec } = this.#options;
    this.#running = { pid, startTime: processStartTime(pid) ?? '' };
    runtime.learn(id, spec);
    if (this.#killed) this.kill();
    this.#started.resolve(pid);
  }

  #end(code: number | undefined): void {
    this.#ended = true;
    this.#report.drain(maxReportBytes);
    this.#report.close();
    this.#started.resolve(undefined);
    this.#session.finish();
    this.#exited.resolve(code ?? lostExitCode);
  }
}
