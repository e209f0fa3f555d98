import type { ProgressMessage } from '#/wire/json-stream.ts';
import type { Output } from '../command.ts';
import { displayWidth } from '../format/tabwriter.ts';
import { drawFrame, type Screen, summary } from './frame.ts';
import type { ProgressView } from './show.ts';
import { TaskList } from './tasks.ts';

/** The least time between two frames. Milliseconds. */
const frameTime = 70;
/** Without news the rates are drawn again after that time. Milliseconds. */
const idleTime = 500;
/** For terminals that do not tell their size. */
const defaultSize = { columns: 80, rows: 24 } as const;

const up = (lines: number): string => (lines === 0 ? '\r' : `\u001b[${lines}A\r`);
const eraseLine = '\u001b[K';
const eraseBelow = '\u001b[J';

/**
 * Progress on a terminal: lines for what is under way, which are drawn again where they are, below the lines that
 * stay. A frame is one write. The cursor always stands below it, so whoever ends the process leaves a tidy screen.
 */
export class LiveProgress implements ProgressView {
  readonly #output: Output;
  readonly #unicode: boolean;
  readonly #now: () => number;
  #tasks = new TaskList();
  /** What is on the screen, to be drawn over. */
  #frame: readonly string[] = [];
  #drawnAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  readonly #idle: NodeJS.Timeout;
  readonly #resized = (): void => this.#drawSoon();

  constructor(
    output: Output,
    { unicode, now = () => performance.now() }: { unicode: boolean; now?: () => number },
  ) {
    this.#output = output;
    this.#unicode = unicode;
    this.#now = now;
    this.#idle = setInterval(() => this.#drawSoon(), idleTime);
    process.on('SIGWINCH', this.#resized);
  }

  show(message: ProgressMessage): void {
    const { id = '', status = '', stream, progressDetail, progress } = message;
    if (id !== '' && stream === undefined && (progressDetail ?? progress) !== undefined) {
      this.#tasks.update(id, message, this.#now());
      this.#drawSoon();
      return;
    }
    const text = stream ?? `${id === '' ? '' : `${id}: `}${status}\n`;
    if (this.#tasks.allDone) this.#close(text);
    else this.#write(text, this.#draw());
  }

  end(outcome: 'done' | 'failed'): void {
    clearInterval(this.#idle);
    process.off('SIGWINCH', this.#resized);
    if (outcome === 'done') this.#close('');
    else this.#write('', this.#draw());
    clearTimeout(this.#timer);
  }

  /** Puts the summary in the place of the lines. */
  #close(text: string): void {
    const isEmpty = this.#tasks.all.length === 0;
    const line = isEmpty ? '' : `${summary(this.#tasks, this.#screen(), this.#now())}\n`;
    this.#write(line + text, []);
    this.#tasks = new TaskList();
  }

  #drawSoon(): void {
    if (this.#timer !== undefined || this.#tasks.all.length === 0) return;
    const wait = Math.max(0, this.#drawnAt + frameTime - this.#now());
    this.#timer = setTimeout(() => this.#write('', this.#draw()), wait);
  }

  #draw(): readonly string[] {
    return drawFrame(this.#tasks, this.#screen(), this.#now());
  }

  /** Replaces the lines on the screen by text that stays and other lines. */
  #write(text: string, frame: readonly string[]): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#drawnAt = this.#now();
    const lines = frame.map((line) => `${line}${eraseLine}\n`).join('');
    const lasting = text.replaceAll(/(?=\n)/g, eraseLine);
    const erase = this.#frame.length === 0 ? '' : eraseBelow;
    const back = this.#frame.length === 0 ? '' : up(this.#height());
    if (back + lasting + lines !== '') this.#output.write(back + lasting + lines + erase);
    this.#frame = frame;
  }

  /** How many lines the last frame takes now: in a window that has become narrower its lines have wrapped. */
  #height(): number {
    const { columns } = this.#screen();
    return this.#frame.reduce((sum, line) => sum + Math.max(1, Math.ceil(displayWidth(line) / columns)), 0);
  }

  #screen(): Screen {
    const { columns, rows } = this.#output;
    return {
      columns: columns || defaultSize.columns,
      rows: rows || defaultSize.rows,
      unicode: this.#unicode,
    };
  }
}
