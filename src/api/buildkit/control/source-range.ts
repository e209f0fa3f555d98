import type { SourceRange, SourceText } from '#/dockerfile/source.ts';

/** The lines of a range as BuildKit's clients mark them. */
export function rangeOf({ start, end }: SourceRange): { start: { line: number }; end: { line: number } } {
  // An end at the very beginning of a line does not touch that line.
  const last = end.column === 1 ? Math.max(start.line, end.line - 1) : end.line;
  return { start: { line: start.line }, end: { line: last } };
}

/** The text as bytes are in the JSON of BuildKit's clients. */
export function base64({ lines }: SourceText): string {
  return Buffer.from(lines.join('\n')).toString('base64');
}
