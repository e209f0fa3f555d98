import { bareWords, rawWords } from './expand.ts';
import type { SourceRange } from './source.ts';
import { trimStart } from './text.ts';

/** `<<NAME` as it stands in an instruction. */
export interface HeredocMark {
  readonly name: string;
  /** `<<-`: tabs at the beginning of lines go. */
  readonly stripsTabs: boolean;
  /** The name has no quotes, so that variables in the content are replaced (by COPY and ADD; shells decide themselves). */
  readonly expands: boolean;
}

/** A here-document. */
export interface Heredoc extends HeredocMark {
  /** As it is in the file, tabs and all; ends with a line break unless empty. */
  readonly content: string;
  /** The lines of the content, without the mark at the end. */
  readonly range: SourceRange;
}

/** Reads a word such as `<<EOF`, `<<-EOF` or `3<<"EOF"`; undefined if it is none. */
export function parseHeredocMark(word: string): HeredocMark | undefined {
  const [, dash, rest = ''] = /^\d*<<(-?)([^<]*)$/.exec(word) ?? [];
  const name = trimStart(rest);
  if (name === '') return undefined;
  const raw = rawWords(name);
  const words = bareWords(name);
  if (raw?.length !== 1 || words?.length !== 1) return undefined;
  const [bare = ''] = words;
  return { name: bare, stripsTabs: dash === '-', expands: quotesIn(bare) === quotesIn(raw[0] ?? '') };
}

/** The here-documents that a line begins. */
export function heredocMarks(line: string): HeredocMark[] {
  if (!line.includes('<<')) return [];
  return (rawWords(line) ?? []).map(parseHeredocMark).filter((mark) => mark !== undefined);
}

/** The content without tabs at the beginning of its lines, where the mark says so. */
export function heredocText({ content, stripsTabs }: Heredoc): string {
  return stripsTabs ? content.replace(/(^|\n)\t+/g, '$1') : content;
}

function quotesIn(text: string): number {
  return text.replace(/[^'"]/g, '').length;
}
