import type { Output } from '../command.ts';
import { displayWidth } from '../format/tabwriter.ts';
import type { Screen } from './frame.ts';

/** The least time between two frames. Milliseconds. */
const frameTime = 70;
/** Without news the lines are drawn again after that time. Milliseconds. */
const idleTime = 500;
/** For terminals that do not tell their size. */
const defaultSize = { columns: 80, rows: 24 } as const;

const up = (lines: number): string => (lines === 0 ? '\r' : `\u001b[${lines}A\r`);
const eraseLine = '\u001b[K';
const eraseBelow = '\u001b[J';

/** How lines on a terminal are drawn. */
export interface LiveLinesOptions {
  readonly unicode: boolean;
  /** Milliseconds of any clock that does not go back. */
  readonly now: () => number;
  /** The lines as they are now; none as wide as the screen, so that none wraps. Without any nothing is drawn. */
  readonly draw: (screen: Screen) => readonly string[];
}

/**
 * Lines on a terminal that are drawn again where they are, below text that stays. A frame is one write. The cursor always
 * stands below it, so whoever ends the process leaves a tidy screen.
 */
export class LiveLines {
  readonly #output: Output;
  readonly #options: LiveLinesOptions;
  /** What is on the screen, to be drawn over. */
  #frame: readonly string[] = [];
  #drawnAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  readonly #idle: NodeJS.Timeout;
  readonly #resized = (): void => this.drawSoon();

  constructor(output: Output, options: LiveLinesOptions) {
    this.#output = output;
    this.#options = options;
    this.#idle = setInterval(() => this.drawSoon(), idleTime);
    process.on('SIGWINCH', this.#resized);
  }

  /** Draws now, or when the last frame is old enough. */
  drawSoon(): void {
    if (this.#timer !== undefined || (this.#frame.length === 0 && this.#draw().length === 0)) return;
    const wait = Math.max(0, this.#drawnAt + frameTime - this.#options.now());
    this.#timer = setTimeout(() => this.write('', this.#draw()), wait);
  }

  /** Text that stays, above the lines as they are now. */
  print(text: string): void {
    this.write(text, this.#draw());
  }

  /** Replaces the lines on the screen by text that stays and other lines. */
  write(text: string, frame: readonly string[] = []): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#drawnAt = this.#options.now();
    const lines = frame.map((line) => `${line}${eraseLine}\n`).join('');
    const lasting = text.replaceAll(/(?=\n)/g, eraseLine);
    const erase = this.#frame.length === 0 ? '' : eraseBelow;
    const back = this.#frame.length === 0 ? '' : up(this.#height());
    if (back + lasting + lines !== '') this.#output.write(back + lasting + lines + erase);
    this.#frame = frame;
  }

  /** What is on the screen stays there; the next lines come below it. */
  leave(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#frame = [];
  }

  /** Ends the drawing; what is on the screen stays. */
  stop(): void {
    clearInterval(this.#idle);
    clearTimeout(this.#timer);
    process.off('SIGWINCH', this.#resized);
  }

  get screen(): Screen {
    const { columns, rows } = this.#output;
    return {
      columns: columns || defaultSize.columns,
      rows: rows || defaultSize.rows,
      unicode: this.#options.unicode,
    };
  }

  #draw(): readonly string[] {
    return this.#options.draw(this.screen);
  }

  /** How many lines the last frame takes now: in a window that has become narrower its lines have wrapped. */
  #height(): number {
    const { columns } = this.screen;
    return this.#frame.reduce((sum, line) => sum + Math.max(1, Math.ceil(displayWidth(line) / columns)), 0);
  }
}
