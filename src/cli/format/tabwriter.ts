/** The layout of a table, in columns of text. */
interface Layout {
  /** Smallest width of a column, padding included. */
  readonly minWidth: number;
  readonly padding: number;
}

const dockerLayout: Layout = { minWidth: 10, padding: 3 };

/**
 * Aligns text in columns: cells end with tabs, and each column of neighbouring lines is as wide as its widest cell, as
 * Go's text/tabwriter does. The last cell of a line belongs to no column.
 */
export function alignColumns(text: string, layout: Layout = dockerLayout): string {
  const lines = text.split('\n').map((line) => line.split('\t'));
  const widths: number[][] = lines.map(() => []);
  setWidths(lines, widths, { from: 0, to: lines.length, column: 0, layout });
  return lines
    .map((cells, row) =>
      cells
        .map((cell, column) => {
          const width = widths[row]?.[column];
          return width === undefined ? cell : cell + ' '.repeat(Math.max(0, width - displayWidth(cell)));
        })
        .join(''),
    )
    .join('\n');
}

interface Block {
  readonly from: number;
  readonly to: number;
  readonly column: number;
  readonly layout: Layout;
}

function setWidths(
  lines: readonly string[][],
  widths: number[][],
  { from, to, column, layout }: Block,
): void {
  let at = from;
  while (at < to) {
    if (column >= (lines[at]?.length ?? 0) - 1) {
      at += 1;
      continue;
    }
    let end = at;
    let width = layout.minWidth;
    for (; end < to && column < (lines[end]?.length ?? 0) - 1; end += 1) {
      width = Math.max(width, displayWidth(lines[end]?.[column] ?? '') + layout.padding);
    }
    for (let row = at; row < end; row += 1) widths[row]?.push(width);
    setWidths(lines, widths, { from: at, to: end, column: column + 1, layout });
    at = end;
  }
}

/** Wide and full-width characters of East Asian scripts, and emoji, take two columns. */
const wide =
  /[\p{Emoji_Presentation}\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u;

/** How many columns of a terminal a text takes. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const char of text) width += wide.test(char) ? 2 : 1;
  return width;
}

/** The text, cut to `max` columns with an ellipsis if it is longer. */
export function ellipsis(text: string, max: number): string {
  if (displayWidth(text) <= max) return text;
  let out = '';
  let width = 0;
  for (const char of text) {
    width += displayWidth(char);
    if (width > max - 1) break;
    out += char;
  }
  return `${out}…`;
}
