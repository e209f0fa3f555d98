import type { ProgressMessage } from '#/wire/json-stream.ts';
import type { Output } from '../command.ts';
import { drawFrame, summary } from './frame.ts';
import { LiveLines } from './live-lines.ts';
import type { ProgressView } from './show.ts';
import { TaskList } from './tasks.ts';

/** Progress on a terminal: lines for what is under way, below the lines that stay. */
export class LiveProgress implements ProgressView {
  readonly #now: () => number;
  readonly #lines: LiveLines;
  #tasks = new TaskList();

  constructor(
    output: Output,
    { unicode, now = () => performance.now() }: { unicode: boolean; now?: () => number },
  ) {
    this.#now = now;
    this.#lines = new LiveLines(output, {
      unicode,
      now,
      draw: (screen) => drawFrame(this.#tasks, screen, this.#now()),
    });
  }

  show(message: ProgressMessage): void {
    const { id = '', status = '', stream, progressDetail, progress } = message;
    if (id !== '' && stream === undefined && (progressDetail ?? progress) !== undefined) {
      this.#tasks.update(id, message, this.#now());
      this.#lines.drawSoon();
      return;
    }
    const text = stream ?? `${id === '' ? '' : `${id}: `}${status}\n`;
    if (this.#tasks.allDone) this.#close(text);
    else this.#lines.print(text);
  }

  end(outcome: 'done' | 'failed'): void {
    if (outcome === 'done') this.#close('');
    else this.#lines.print('');
    this.#lines.stop();
  }

  /** Puts the summary in the place of the lines. */
  #close(text: string): void {
    const isEmpty = this.#tasks.all.length === 0;
    const line = isEmpty ? '' : `${summary(this.#tasks, this.#lines.screen, this.#now())}\n`;
    this.#lines.write(line + text);
    this.#tasks = new TaskList();
  }
}
