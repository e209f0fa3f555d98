import { openBuildStream, resizeBuildTerminal, type SessionPart } from '#/client/build.ts';
import type { Client } from '#/client/client.ts';
import type { TerminalSize } from '#/client/containers.ts';
import type { StoppedStep } from '#/wire/build-status.ts';
import type { Output, TerminalInput } from '../command.ts';
import { safeText } from '../format/safe-text.ts';
import { writeAll } from '../streams.ts';
import { DetachFilter, parseDetachKeys } from '../terminal/detach-keys.ts';
import { rawMode } from '../terminal/raw-mode.ts';
import { followSize, terminalSize } from '../terminal/resize.ts';

/** What a shell is connected to. */
export interface ShellStreams {
  /** Made on first use: a build without a shell leaves standard input alone. */
  readonly stdin: () => TerminalInput;
  readonly output: Output;
  /** Keys that leave a shell; empty: the usual ones. */
  readonly detachKeys: string;
}

/** For terminals that do not tell their size. */
const defaultSize: TerminalSize = { height: 24, width: 80 };

/** The size of the terminal that a shell gets; undefined if its commands come from something else, or its words go there. */
export function shellTerminal({ stdin, output }: ShellStreams): TerminalSize | undefined {
  if (!output.isTTY || stdin().isTTY !== true) return undefined;
  const { height, width } = terminalSize(output);
  return { height: height || defaultSize.height, width: width || defaultSize.width };
}

/** Connects a shell in a stopped step with the user, until it ends or the user leaves it with the detach keys. */
export async function debugShell(
  client: Client,
  part: SessionPart,
  {
    step,
    streams,
    signal,
  }: { step: StoppedStep; streams: ShellStreams & { readonly hasTerminal: boolean }; signal: AbortSignal },
): Promise<void> {
  const { output, hasTerminal } = streams;
  output.write(safeText(introduction(step, streams)));
  // Before the shell begins, which then has the right size from the start.
  using _size = hasTerminal
    ? followSize(output, (size) => resizeBuildTerminal(client, part.session, size))
    : undefined;
  const { socket, early } = await openBuildStream(client, part, { signal });
  if (early.length > 0) socket.unshift(early);
  const stdin = streams.stdin();
  const filter = hasTerminal ? new DetachFilter(parseDetachKeys(streams.detachKeys)) : undefined;
  let hasLeft = false;
  const send = (chunk: Buffer): void => {
    const { data, detached } = filter?.push(chunk) ?? { data: chunk, detached: false };
    socket.write(data);
    if (!detached) return;
    hasLeft = true;
    socket.destroy();
  };
  const finish = (): void => void socket.end();
  using _raw = hasTerminal ? rawMode(stdin) : undefined;
  if (stdin.readableEnded) finish();
  else stdin.on('data', send).once('end', finish);
  try {
    for await (const chunk of socket) await writeAll(output.stream, chunk as Buffer);
  } catch (error) {
    // The shell did not end its line.
    output.write('\r\n');
    if (!hasLeft) throw error;
  } finally {
    stdin.off('data', send).off('end', finish).pause();
    socket.destroy();
  }
}

function introduction(
  { name, command, error }: StoppedStep,
  { hasTerminal, detachKeys }: { hasTerminal: boolean; detachKeys: string },
): string {
  const why = error === undefined ? 'stopped before' : 'failed in';
  const after = error === undefined ? 'goes on' : 'fails';
  const leave = hasTerminal ? ` (exit, or ${detachKeys || 'ctrl-p,ctrl-q'})` : '';
  return `\n${why} ${name}${error === undefined ? '' : `: ${error}`}\nit runs: ${command.join(' ')}\na shell in its files; when it ends${leave}, the build ${after}\n`;
}
