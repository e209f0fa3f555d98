import { Socket } from 'node:net';
import type { PipeReader } from '#/kernel/pipe-reader.ts';
import type { OciProcess } from '#/oci/runtime-spec.ts';
import type { Children } from './children.ts';
import type { OciRuntime } from './crun.ts';
import { startError } from './failure.ts';
import type { PipeSession } from './pipe-session.ts';
import { specPath, startPiped } from './piped-runtime.ts';
import { specJson } from './spec/build.ts';

/** Where a process is to run. */
export interface DirectExecOptions {
  readonly runtime: OciRuntime;
  readonly children: Children;
  readonly containerId: string;
  /** Gives it a stdin to write to; otherwise it reads /dev/null. */
  readonly stdin: boolean;
}

/** A process of a `DirectExec`. */
export interface DirectProcess {
  readonly pid: number;
  /** Its exit code (128 + signal). */
  readonly exited: Promise<number>;
  /** Yours to dispose. */
  readonly session: PipeSession;
}

/** What stands for the code when the runtime did not live to tell it: as if killed. */
const lostExitCode = 137;
/** More than the digits of any pid. */
const maxReportBytes = 64;

/**
 * A process in a running container without a monitor: crun itself waits for it and ends with its exit code, the daemon
 * holds its pipes. So it takes one program's start less than with conmon, but when the daemon dies its input ends and
 * its output breaks (SIGPIPE): for processes that somebody is attached to, and without a terminal.
 *
 * crun can be started before it is known that the process will be: it loads, reads the container's state and then waits
 * for the description of the process on a pipe. When that pipe closes, which the daemon's death does too, it gives up.
 */
export class DirectExec implements Disposable {
  readonly #pid: number;
  readonly #children: Children;
  readonly #spec: Socket;
  readonly #report: PipeReader;
  readonly #session: PipeSession;
  readonly #started = Promise.withResolvers<number | undefined>();
  readonly #exited = Promise.withResolvers<number>();
  #used = false;

  /** Starts the runtime, which then waits. Throws `internal` if that cannot be started. */
  constructor({ runtime, children, containerId, stdin }: DirectExecOptions) {
    const args = ['exec', `--process=${specPath}`, containerId];
    const { pid, spec, report, session } = startPiped(runtime, { args, stdin });
    this.#children = children;
    this.#pid = pid;
    this.#spec = new Socket({ fd: spec, readable: false, writable: true });
    // It may have ended already: that shows on the other pipes.
    this.#spec.on('error', () => {});
    this.#report = report;
    this.#report.onData = (data) => this.#started.resolve(Number(data.toString('latin1')));
    this.#session = session;
    children.add(this.#pid, (code) => this.#end(code));
  }

  /** It can still be given a process: the runtime has not failed meanwhile. */
  get waits(): boolean {
    return !this.#used;
  }

  /** Starts the process; once only. Throws StartError. */
  async start(process: OciProcess): Promise<DirectProcess> {
    this.#used = true;
    this.#spec.end(specJson(process));
    const pid = await this.#started.promise;
    if (pid === undefined) throw startError('exec', this.#session.takeErrors(), process.args[0] ?? '');
    return { pid, exited: this.#exited.promise, session: this.#session };
  }

  /** Ends the runtime, if it has got no process. */
  [Symbol.dispose](): void {
    if (this.#used) return;
    this.#used = true;
    this.#spec.destroy();
    this.#children.kill(this.#pid);
  }

  #end(code: number | undefined): void {
    this.#used = true;
    this.#report.drain(maxReportBytes);
    this.#report.close();
    this.#started.resolve(undefined);
    this.#spec.destroy();
    this.#session.finish();
    this.#exited.resolve(code ?? lostExitCode);
  }
}
