import type { IncomingMessage } from 'node:http';
import { jsonTexts, type ProgressMessage } from '#/wire/json-stream.ts';
import type { Context, Output } from '../command.ts';
import { LiveProgress } from './live.ts';
import { PlainProgress } from './plain.ts';

/** What people see of an operation while it goes on. */
export interface ProgressView {
  show(message: ProgressMessage): void;
  /** Nothing follows. A failed operation leaves standing how far it came. */
  end(outcome: 'done' | 'failed'): void;
}

/** Where progress is shown and what becomes of results. */
export interface ProgressOptions {
  /** Absent: it is only waited for the end. */
  readonly output: Output | undefined;
  readonly env: Context['env'];
  /** Takes the machine-readable results. */
  readonly onResult?: (result: unknown) => void;
}

/**
 * Shows the progress that the daemon reports as a JSON stream, until it ends: in lines that move on a terminal, in
 * plain lines elsewhere. Throws an Error if the daemon reports one or hangs up before the end.
 */
export async function showProgress(
  body: IncomingMessage,
  { output, env, onResult }: ProgressOptions,
): Promise<void> {
  const view = output === undefined ? undefined : viewFor(output, env);
  let outcome: 'done' | 'failed' = 'failed';
  try {
    for await (const message of streamMessages(body)) {
      const failure = message.errorDetail?.message ?? message.error;
      if (failure !== undefined) throw new Error(failure);
      if (message.aux === undefined) view?.show(message);
      else onResult?.(message.aux);
    }
    outcome = 'done';
  } finally {
    view?.end(outcome);
  }
}

/** The messages of a stream of progress. Throws an Error if the daemon hangs up before the end. */
export async function* streamMessages(
  body: IncomingMessage,
): AsyncGenerator<ProgressMessage, void, undefined> {
  try {
    // The daemon is trusted to keep to its own API.
    for await (const text of jsonTexts(body)) yield JSON.parse(text) as ProgressMessage;
  } catch (error) {
    if (body.complete) throw error;
    throw new Error('the daemon hung up before it had finished: unexpected EOF', { cause: error });
  }
}

function viewFor(output: Output, env: Context['env']): ProgressView {
  if (!output.isTTY || !env['TERM'] || env['TERM'] === 'dumb') return new PlainProgress(output);
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  return new LiveProgress(output, { unicode: /utf-?8/i.test(locale) });
}
