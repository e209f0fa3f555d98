import { internal, messageOf } from '#/base/errors.ts';
import { close } from '#/kernel/at.ts';
import { PipeReader } from '#/kernel/pipe-reader.ts';
import { openPty, type PtySize } from '#/kernel/pty.ts';
import { makePipe, spawnProgram } from '#/kernel/spawn.ts';
import type { OciRuntime } from './crun.ts';
import type { ProcessStreams } from './output-queue.ts';
import { PipeSession } from './pipe-session.ts';
import { PtySession } from './pty-session.ts';

/** Where the runtime finds the end that it is to read what `spec` is written to. */
const specFd = 3;
/** Where the runtime is to write the process's pid. */
const pidFd = 4;

/** The path that names the pipe of `PipedRuntime.spec` for the runtime. */
export const specPath: string = `/proc/self/fd/${specFd}`;

/** A command of the runtime to start. */
export interface PipedCommand {
  /** Everything but `--pid-file`, the command's name first. */
  readonly args: readonly string[];
  /** Gives the process a stdin to write to; otherwise it reads /dev/null. */
  readonly stdin: boolean;
}

/** Streams whose end is told by the runtime's. */
export interface RuntimeStreams extends ProcessStreams {
  /** The process has ended. */
  finish(): void;
  /** What the runtime has said of why there is no process. */
  takeErrors(): string;
  /** Tells the process the size of its terminal, if it has one. */
  resize?(size: PtySize): void;
}

/** A runtime that waits for the process that it has started; that has its standard streams and our other ends are here. */
export interface PipedRuntime {
  /** Of the runtime, not of the process. */
  readonly pid: number;
  /** What is written to this descriptor can be read at `specPath`. Yours to close. */
  readonly spec: number;
  /** The pid of the process arrives here when there is one. Yours to close. */
  readonly report: PipeReader;
  /** The streams. What goes wrong before the process starts is on its stderr. Yours to dispose of. */
  readonly session: PipeSession;
}

/** The same with a terminal. */
export interface TerminalRuntime extends Omit<PipedRuntime, 'spec' | 'session'> {
  readonly spec?: undefined;
  readonly session: RuntimeStreams;
}

/** Starts the runtime on a terminal. Throws `internal` if it cannot be started. */
export function startOnTerminal(
  runtime: OciRuntime,
  args: readonly string[],
  size: PtySize,
): TerminalRuntime {
  using theirs = new DisposableStack();
  using ours = new DisposableStack();
  const pty = openPty(size);
  const [report, errors] = [makePipe(), makePipe()];
  for (const fd of [pty.master, report.read, errors.read]) ours.adopt(fd, close);
  for (const fd of [pty.slave, report.write, errors.write]) theirs.adopt(fd, close);
  const fds = new Map([
    [0, pty.slave],
    [1, pty.slave],
    [2, errors.write],
    [pidFd, report.write],
  ]);
  const pid = spawn(runtime, { args, fds });
  ours.move();
  const session = new PtySession({ master: pty.master, errors: errors.read });
  return { pid, report: new PipeReader(report.read), session };
}

/** Starts the runtime with pipes. Throws `internal` if it cannot be started. */
export function startPiped(runtime: OciRuntime, { args, stdin }: PipedCommand): PipedRuntime {
  using theirs = new DisposableStack();
  using ours = new DisposableStack();
  const give = (fd: number): number => theirs.adopt(fd, close);
  const keep = (fd: number): number => ours.adopt(fd, close);
  const pipe = (): { readonly read: number; readonly write: number } => makePipe();
  const [spec, report, stdout, stderr] = [pipe(), pipe(), pipe(), pipe()];
  const input = stdin ? pipe() : undefined;
  const own = {
    spec: keep(spec.write),
    report: keep(report.read),
    stdout: keep(stdout.read),
    stderr: keep(stderr.read),
    stdin: input === undefined ? undefined : keep(input.write),
  };
  const fds = new Map([
    [1, give(stdout.write)],
    [2, give(stderr.write)],
    [specFd, give(spec.read)],
    [pidFd, give(report.write)],
  ]);
  if (input !== undefined) fds.set(0, give(input.read));
  const pid = spawn(runtime, { args, fds });
  ours.move();
  return { pid, spec: own.spec, report: new PipeReader(own.report), session: new PipeSession(own) };
}

function spawn(
  runtime: OciRuntime,
  { args: [command = '', ...args], fds }: { args: readonly string[]; fds: ReadonlyMap<number, number> },
): number {
  try {
    return spawnProgram({
      path: runtime.path,
      args: [runtime.path, ...runtime.globalArgs, command, `--pid-file=/proc/self/fd/${pidFd}`, ...args],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      cwd: '/',
      fds,
      // crun passes on the signals that it gets: those of the daemon's terminal are not meant for it.
      newSession: true,
    });
  } catch (error) {
    throw internal(`cannot start ${runtime.path}: ${messageOf(error)}`, error);
  }
}
