import { openBuildStream, type SessionPart } from '#/client/build.ts';
import type { Client } from '#/client/client.ts';
import type { StoppedStep } from '#/wire/build-status.ts';
import type { Output, TerminalInput } from '../command.ts';
import { rawMode } from '../terminal/raw-mode.ts';

/** What a shell is connected to. */
export interface ShellStreams {
  /** Made on first use: a build without a shell leaves standard input alone. */
  readonly stdin: () => TerminalInput;
  readonly output: Output;
}

/** Connects a shell in a stopped step with the user, until it ends. */
export async function debugShell(
  client: Client,
  part: SessionPart,
  { step, streams, signal }: { step: StoppedStep; streams: ShellStreams; signal: AbortSignal },
): Promise<void> {
  const { stdin: getStdin, output } = streams;
  output.write(introduction(step));
  const { socket, early } = await openBuildStream(client, part, { signal });
  if (early.length > 0) socket.unshift(early);
  const stdin = getStdin();
  const send = (chunk: Buffer): void => void socket.write(chunk);
  const finish = (): void => void socket.end();
  using _raw = rawMode(stdin);
  if (stdin.readableEnded) finish();
  else stdin.on('data', send).once('end', finish);
  try {
    for await (const chunk of socket) output.write((chunk as Buffer).toString());
  } finally {
    stdin.off('data', send).off('end', finish).pause();
    socket.destroy();
  }
}

function introduction({ name, command, error }: StoppedStep): string {
  const why = error === undefined ? 'stopped before' : 'failed in';
  const after = error === undefined ? 'goes on' : 'fails';
  return `\n${why} ${name}${error === undefined ? '' : `: ${error}`}\nit runs: ${command.join(' ')}\na shell in its files; when it ends, the build ${after}\n`;
}
