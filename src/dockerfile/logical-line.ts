import type { Position, SourceRange } from './source.ts';

/** A piece of a line of the file, and where in the joined text it begins. */
interface Segment {
  readonly offset: number;
  readonly start: Position;
}

/** Lines of a file that continue each other, joined; knows where each character came from. */
export class LogicalLine {
  readonly #segments: Segment[] = [];
  #text = '';

  get text(): string {
    return this.#text;
  }

  append(text: string, start: Position): void {
    this.#segments.push({ offset: this.#text.length, start });
    this.#text += text;
  }

  /** Where the characters from one offset to another are. */
  range(from: number, to: number): SourceRange {
    const start = this.#position(from);
    if (to <= from) return { start, end: start };
    const last = this.#position(to - 1);
    return { start, end: { line: last.line, column: last.column + 1 } };
  }

  #position(offset: number): Position {
    const segment = this.#segments.findLast((candidate) => candidate.offset <= offset);
    if (segment === undefined) return { line: 1, column: 1 };
    return { line: segment.start.line, column: segment.start.column + offset - segment.offset };
  }
}
