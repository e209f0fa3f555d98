import { PassThrough } from 'node:stream';
import type { Output } from '../../src/cli/command.ts';

const escape = '\u001b';
const sequenceOrCharacter = new RegExp(`${escape}\\[\\d*[A-Za-z]|[\\s\\S]`, 'gu');

/** A terminal in memory for tests: it knows what progress uses, wraps, scrolls, and reflows when its width changes. */
export class VirtualScreen implements Output {
  readonly isTTY = true;
  readonly stream: PassThrough = new PassThrough();
  columns: number;
  rows: number;
  /** Each call of `write`. */
  readonly writes: string[] = [];
  /** Lines as they were written, each ended by a line feed; wrapped only when they are looked at. */
  #lines: string[] = [''];
  #row = 0;
  #column = 0;

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
  }

  write(text: string): void {
    this.writes.push(text);
    for (const [part] of text.matchAll(sequenceOrCharacter)) this.#put(part);
  }

  /** All lines of the screen and above it that are not empty at the end. */
  get text(): string {
    return this.#lines
      .map((line) => line.trimEnd())
      .join('\n')
      .trimEnd();
  }

  #put(part: string): void {
    const count = Number(part.slice(2, -1) || '1');
    if (part === '\n') this.#down();
    else if (part === '\r') this.#column = 0;
    else if (part.endsWith('A') && part.length > 1) this.#up(count);
    else if (part.endsWith('K') && part.length > 1)
      this.#lines[this.#row] = this.#line.slice(0, this.#column);
    else if (part.endsWith('J') && part.length > 1) {
      this.#lines[this.#row] = this.#line.slice(0, this.#column);
      this.#lines.length = this.#row + 1;
    } else this.#print(part);
  }

  get #line(): string {
    return this.#lines[this.#row] ?? '';
  }

  #down(): void {
    this.#row += 1;
    this.#column = 0;
    if (this.#lines.length === this.#row) this.#lines.push('');
  }

  /** Counts the lines that long ones take; above the screen there is nothing to go to. */
  #up(count: number): void {
    let left = count;
    const top = this.#top();
    while (left > 0 && this.#row > top) {
      this.#row -= 1;
      left -= Math.max(1, Math.ceil(this.#line.length / this.columns));
    }
    if (left !== 0) throw new Error(`cannot go up ${count} lines`);
  }

  /** The first line on the screen. */
  #top(): number {
    let height = 0;
    for (let row = this.#lines.length - 1; row >= 0; row -= 1) {
      height += Math.max(1, Math.ceil((this.#lines[row] ?? '').length / this.columns));
      if (height > this.rows) return row + 1;
    }
    return 0;
  }

  #print(char: string): void {
    const line = this.#line.padEnd(this.#column);
    this.#lines[this.#row] = line.slice(0, this.#column) + char + line.slice(this.#column + char.length);
    this.#column += char.length;
  }
}
