import { messageOf } from '#/base/errors.ts';
import type { StepDebugger, StoppedStep } from '#/builder/debugger.ts';
import type { BuildStatus } from '#/wire/build-status.ts';
import type { FullBuildDocument } from './build-document.ts';
import type { BuildSession, TerminalSize } from './session.ts';

/** The name of the stream that a shell gets. */
const streamName = 'debug';

/** Who looks into steps for the client of a document; undefined: nobody does. */
export function stepShell(
  { DebugStep, OnError, Terminal }: Pick<FullBuildDocument, 'DebugStep' | 'OnError' | 'Terminal'>,
  session: BuildSession,
  tell: (status: BuildStatus) => undefined | Promise<void>,
): StepDebugger | undefined {
  if (DebugStep === '' && OnError !== 'shell') return undefined;
  const { Height: height, Width: width } = Terminal;
  const terminal = height > 0 && width > 0 ? { height, width } : undefined;
  return {
    stopsBefore: (name) => isStep(name, DebugStep),
    stopsOnFailure: OnError === 'shell',
    stopped: async (step, { signal }) => {
      const { vertex, name, command, error } = step;
      await tell({
        stopped: { vertex, name, command, ...(error !== undefined && { error: messageOf(error) }) },
      });
      const stream = await session.takeStream(streamName, signal);
      const leave = (): unknown => stream.destroy();
      signal.addEventListener('abort', leave, { once: true });
      try {
        await runShell(step, { stream, terminal, session });
      } finally {
        signal.removeEventListener('abort', leave);
        stream.end();
      }
    },
  };
}

/** `3` is the third step of any stage, `build:3` that of one. Names of steps do not say the stage if there is only one. */
function isStep(name: string, wanted: string): boolean {
  if (wanted === '') return false;
  const [stage, number] = wanted.includes(':') ? wanted.split(':') : [undefined, wanted];
  const words = /^\[([^\]]*)\]/.exec(name)?.[1]?.split(/\s+/) ?? [];
  const isNumber = words.at(-1)?.split('/')[0] === number;
  const isOnly = words.every((word) => word.includes('/'));
  return isNumber && (stage === undefined || isOnly || words.slice(0, -1).includes(stage));
}

type Stream = Awaited<ReturnType<BuildSession['takeStream']>>;

/** A shell in a step, until it ends or the client leaves. */
async function runShell(
  { start }: StoppedStep,
  {
    stream,
    terminal,
    session,
  }: { stream: Stream; terminal: TerminalSize | undefined; session: BuildSession },
): Promise<void> {
  // Windows may have changed since the build began.
  using run = start({ args: ['/bin/sh'], terminal: terminal && (session.terminalSize ?? terminal) });
  using _size = session.followSize((size) => run.resize(size));
  const left = (): void => run.kill();
  stream.once('close', left);
  try {
    await run.started();
  } catch (error) {
    stream.write(`cannot start a shell: ${messageOf(error)}\n`);
    return;
  }
  // Who has a terminal ends the input by keys: such a connection ends only when the client leaves.
  void copyInput(stream, { run, end: terminal === undefined ? () => run.closeStdin() : left });
  for await (const frames of run.output()) {
    for (const { data } of frames) if (!stream.write(data)) await drained(stream);
  }
  stream.off('close', left);
  await run.exited;
}

async function copyInput(
  stream: Stream,
  { run, end }: { run: ReturnType<StoppedStep['start']>; end: () => unknown },
): Promise<void> {
  try {
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
      if (!(await run.write(chunk as Buffer))) return;
    }
    await end();
  } catch {
    // The client has left, which `close` tells too.
  }
}

/** Waits until there is room, or nobody who reads. */
function drained(stream: Stream): Promise<void> {
  return new Promise((resolve) => {
    stream.once('drain', resolve).once('close', resolve);
  });
}
