/** A place in a file: lines and columns count from 1, columns in UTF-16 code units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A part of a file, up to but not including `end`. */
export interface SourceRange {
  readonly start: Position;
  readonly end: Position;
}

/** The text of a Dockerfile as people see it, for messages. */
export interface SourceText {
  /** What to call the file. */
  readonly name: string;
  /** Without their line ends; the last one is empty if the file ends with a line break. */
  readonly lines: readonly string[];
}

/** Lines shown before and after the ones that matter, at least. */
const context = 2;
/** Lines that an excerpt shows at most. */
const maxLines = 30;

/** The lines of a range with some around them, marked, as Docker's builder shows them. Ends without a line break. */
export function excerpt(source: SourceText, range: SourceRange): string {
  const first = range.start.line;
  // An end at the very beginning of a line does not touch that line.
  const last = Math.max(first, range.end.column === 1 ? range.end.line - 1 : range.end.line);
  const from = Math.max(1, first - context);
  const to = Math.min(source.lines.length, last + context, from + maxLines - 1);
  const rule = '-'.repeat(20);
  const shown = source.lines.slice(from - 1, to).map((line, index) => {
    const number = from + index;
    const mark = number >= first && number <= last ? '>>>' : '   ';
    return `${String(number).padStart(4)} | ${mark} ${printable(line)}`;
  });
  return [`${source.name}:${first}`, rule, ...shown, rule].join('\n');
}

/** Terminals act on control characters; a file from elsewhere must not speak to them. */
function printable(line: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what this is about
  return line.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g, '\ufffd').slice(0, 1000);
}
