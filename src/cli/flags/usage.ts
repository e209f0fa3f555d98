import type { FlagTable } from './flag.ts';

/**
 * The lines of a help text that list flags, wrapped to `width` columns: names padded to one column, then the usage,
 * whose further lines are indented below it.
 */
export function flagUsages(flags: FlagTable, width: number): string {
  const rows = Object.entries(flags)
    .filter(([, flag]) => flag.hidden !== true)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, flag]) => {
      const short = flag.short === undefined ? '      ' : `  -${flag.short}, `;
      const type = flag.type === '' ? '' : ` ${flag.type}`;
      const shown = flag.shown === undefined ? '' : ` (default ${flag.shown})`;
      return { left: `${short}--${name}${type}`, right: flag.usage + shown };
    });
  const column = Math.max(0, ...rows.map(({ left }) => left.length)) + 3;
  return rows.map(({ left, right }) => left.padEnd(column) + wrap(right, column, width)).join('\n');
}

/** Further lines may not shrink below this, however narrow the terminal is. */
const minRoom = 24;
/** A last line of one short word is avoided: the line before may be so much longer. */
const slop = 5;

function wrap(text: string, indent: number, width: number): string {
  const room = Math.max(minRoom, width - indent - slop);
  const newline = `\n${' '.repeat(indent)}`;
  return text
    .split('\n')
    .map((paragraph) => wrapParagraph(paragraph, room).join(newline))
    .join(newline);
}

function wrapParagraph(text: string, room: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > room + slop) {
    const at = rest.lastIndexOf(' ', room - 1);
    if (at <= 0) break;
    lines.push(rest.slice(0, at));
    rest = rest.slice(at + 1);
  }
  return [...lines, rest];
}
