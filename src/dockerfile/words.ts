import { isBlank, trimBlanks, trimEnd, trimStart } from './text.ts';

/** A word that begins with `--`, and where it is in its line. */
interface FlagWord {
  /** Without quotes and escapes. */
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

/** An instruction before anybody knows what it means. */
export interface SplitInstruction {
  readonly keyword: string;
  readonly flags: readonly FlagWord[];
  /** Everything behind the flags. */
  readonly rest: string;
  /** Where in the line the keyword begins. */
  readonly from: number;
  /** Where in the line `rest` begins. */
  readonly restFrom: number;
}

/** Takes the keyword and the flags off a line. */
export function splitInstruction(line: string, escape: string): SplitInstruction {
  const from = line.length - trimStart(line).length;
  const [keyword = ''] = /^[^\t\v\f\r ]*/.exec(trimBlanks(line)) ?? [];
  const flags: FlagWord[] = [];
  let at = from + keyword.length;
  for (;;) {
    while (at < line.length && isBlank(line.charAt(at))) at += 1;
    if (!line.startsWith('--', at)) break;
    const flag = flagWord(line, at, escape);
    at = flag.to;
    if (flag.text === '--') break;
    flags.push(flag);
  }
  const rest = trimStart(line.slice(at));
  return { keyword, flags, rest: trimEnd(rest), from, restFrom: line.length - rest.length };
}

function flagWord(line: string, from: number, escape: string): FlagWord {
  let text = '';
  let quote = '';
  let at = from;
  for (; at < line.length; at += 1) {
    const char = line.charAt(at);
    if (char === escape) {
      at += 1;
      text += line.charAt(at);
    } else if (quote !== '') {
      if (char === quote) quote = '';
      else text += char;
    } else if (isBlank(char)) break;
    else if (char === "'" || char === '"') quote = char;
    else text += char;
  }
  return { text, from, to: Math.min(at, line.length) };
}

/** Words between blanks; quotes and escapes keep blanks together and stay in place. An escape at the very end goes. */
export function quotedWords(text: string, escape: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (quote === '' && isBlank(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    word ??= '';
    if (char === escape && quote !== "'") {
      const next = text.charAt(at + 1);
      if (next === '') continue;
      word += char + next;
      at += 1;
      continue;
    }
    if (quote === '' && (char === "'" || char === '"')) quote = char;
    else if (char === quote) quote = '';
    word += char;
  }
  if (word !== undefined && word !== '') words.push(word);
  return words;
}

/** What a text in JSON form is: a list of strings, a list that holds others, or no list (and so meant for the shell). */
export type JsonForm =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'mixed' | 'none' };

/** Reads the exec form of an instruction. */
export function jsonForm(text: string): JsonForm {
  if (!text.startsWith('[')) return { kind: 'none' };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: 'none' };
  }
  if (!Array.isArray(value)) return { kind: 'none' };
  if (!value.every((item) => typeof item === 'string')) return { kind: 'mixed' };
  return { kind: 'words', words: value.map((item) => item.toWellFormed()) };
}
