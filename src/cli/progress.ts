import type { IncomingMessage } from 'node:http';
import { humanSize } from '#/base/units.ts';
import { jsonTexts, type ProgressMessage } from '#/wire/json-stream.ts';
import type { Output } from './command.ts';

/**
 * Prints the progress that the daemon reports as a JSON stream: line by line or, on a terminal, with a line for each
 * thing that is renewed. Without an output it only waits. Throws an Error if the daemon reports one.
 */
export async function showProgress(body: IncomingMessage, output: Output | undefined): Promise<void> {
  const screen = output === undefined ? undefined : new ProgressScreen(output);
  for await (const text of jsonTexts(body)) {
    // The daemon is trusted to keep to its own API.
    const message = JSON.parse(text) as ProgressMessage;
    const failure = message.errorDetail?.message ?? message.error;
    if (failure !== undefined) throw new Error(failure);
    if (message.aux === undefined) screen?.show(message);
  }
}

class ProgressScreen {
  readonly #output: Output;
  /** The line of each thing, counted from the first of them. */
  readonly #lines = new Map<string, number>();

  constructor(output: Output) {
    this.#output = output;
  }

  show(message: ProgressMessage): void {
    const { id = '', status = '', stream } = message;
    const isTerminal = this.#output.isTTY;
    const progress = progressText(message, this.#output.columns);
    if (stream !== undefined) {
      this.#output.write(stream);
      return;
    }
    if (!isTerminal) {
      // Without a terminal only what is said once counts.
      if (progress === '') this.#output.write(`${id === '' ? '' : `${id}: `}${status}\n`);
      return;
    }
    const text = `${id === '' ? '' : `${id}: `}${status}${progress === '' ? '' : ` ${progress}`}`;
    if (id === '' || (message.progressDetail === undefined && message.progress === undefined)) {
      this.#lines.clear();
      this.#output.write(`${text}\n`);
      return;
    }
    this.#update(id, text);
  }

  #update(id: string, text: string): void {
    const line = this.#lines.get(id);
    if (line === undefined) {
      this.#lines.set(id, this.#lines.size);
      this.#output.write(`${text}\n`);
      return;
    }
    const up = this.#lines.size - line;
    this.#output.write(`\u001b[${up}A\u001b[2K\r${text}\u001b[${up}B\r`);
  }
}

const barWidth = 50;

function progressText({ progressDetail, progress }: ProgressMessage, columns: number): string {
  const { current = 0, total = 0, units } = progressDetail ?? {};
  if (current <= 0 && total <= 0) return progress ?? '';
  if (units !== undefined && units !== '') return `${current}/${total} ${units}`;
  if (total <= 0) return humanSize(current);
  const share = Math.min(1, current / total);
  const filled = Math.floor(share * barWidth);
  const bar = columns > 110 ? `[${'='.repeat(filled)}>${' '.repeat(barWidth - filled)}] ` : '';
  return `${bar} ${humanSize(current)}/${humanSize(total)}`;
}
