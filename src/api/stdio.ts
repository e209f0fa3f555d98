import type { Duplex, Writable } from 'node:stream';
import type { Output, StdioSession } from '#/engine/containers/stdio.ts';
import { frameHeader } from '#/wire/frames.ts';
import type { Call } from './call.ts';
import { drained } from './respond.ts';

/** How output goes to a client. */
export interface SendOutputOptions {
  /** Put a frame header before each piece. */
  readonly framed: boolean;
  readonly signal: AbortSignal;
}

/** Copies output to a client at the client's pace. A batch goes out in one system call. */
export async function sendOutput(
  output: Output,
  sink: Writable,
  { framed, signal }: SendOutputOptions,
): Promise<void> {
  for await (const batch of output) {
    signal.throwIfAborted();
    sink.cork();
    for (const { stream, data } of batch) {
      if (framed) sink.write(frameHeader(stream, data.length));
      sink.write(data);
    }
    sink.uncork();
    await drained(sink, signal);
  }
}

/** Connects a session with a client's connection, both ways, until the output ends or the client hangs up. */
export async function serveSession(
  call: Call,
  connection: Duplex,
  { session, framed, stdin }: { session: StdioSession; framed: boolean; stdin: boolean },
): Promise<void> {
  await using _session = session;
  const { signal } = call;
  if (stdin) {
    receiveInput(connection, session).catch((error: unknown) => {
      if (!signal.aborted) connection.destroy(error instanceof Error ? error : undefined);
    });
  } else {
    connection.resume();
  }
  try {
    await sendOutput(session.output, connection, { framed, signal });
  } finally {
    await finish(connection);
  }
}

/** Copies what the client sends to stdin at the pace of the process; the end of it closes stdin. */
async function receiveInput(connection: Duplex, session: StdioSession): Promise<void> {
  for await (const chunk of connection.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    await session.write(chunk);
  }
  session.closeStdin();
}

/** Sends what is left and closes; a client that keeps its half open does not keep ours. */
function finish(connection: Duplex): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  connection.once('close', resolve);
  if (connection.destroyed) resolve();
  else connection.end(() => connection.destroy());
  return promise;
}
