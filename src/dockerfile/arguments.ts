import { invalid } from '#/base/errors.ts';
import { goQuote } from '#/base/go-quote.ts';
import type { Arguments, Pair } from './node.ts';
import { blankWords, isBlank, trimStart } from './text.ts';
import { jsonForm, quotedWords } from './words.ts';

type ReadArguments = (rest: string, escape: string) => Arguments;

const none: Arguments = { kind: 'none' };

/** How the arguments of each instruction are taken apart; ONBUILD is not among them, its argument is an instruction. */
const readers: ReadonlyMap<string, ReadArguments> = new Map<string, ReadArguments>([
  ['ADD', jsonOrWords],
  ['ARG', (rest, escape) => wordsOf(quotedWords(rest, escape))],
  ['CMD', jsonOrText],
  ['COPY', jsonOrWords],
  ['ENTRYPOINT', jsonOrText],
  ['ENV', (rest, escape) => pairs('ENV', rest, escape)],
  ['EXPOSE', (rest) => wordsOf(blankWords(rest))],
  ['FROM', (rest) => wordsOf(blankWords(rest))],
  ['HEALTHCHECK', typed],
  ['LABEL', (rest, escape) => pairs('LABEL', rest, escape)],
  ['MAINTAINER', plain],
  ['RUN', jsonOrText],
  ['SHELL', jsonOrText],
  ['STOPSIGNAL', plain],
  ['USER', plain],
  ['VOLUME', jsonOrWords],
  ['WORKDIR', plain],
]);

/** The keywords there are. */
export const keywords: readonly string[] = [...readers.keys(), 'ONBUILD'];

/** Takes apart what follows the keyword and the flags. */
export function readArguments(keyword: string, rest: string, escape: string): Arguments {
  return readers.get(keyword.toUpperCase())?.(rest, escape) ?? none;
}

function wordsOf(words: readonly string[]): Arguments {
  return words.length === 0 ? none : { kind: 'words', words };
}

function plain(rest: string): Arguments {
  return rest === '' ? none : { kind: 'text', text: rest };
}

function json(rest: string): Arguments | undefined {
  const form = jsonForm(rest);
  if (form.kind === 'mixed') {
    throw invalid('when using JSON array syntax, arrays must be comprised of strings only');
  }
  return form.kind === 'words' ? { kind: 'json', words: form.words } : undefined;
}

function jsonOrWords(rest: string): Arguments {
  return json(rest) ?? wordsOf(blankWords(rest));
}

function jsonOrText(rest: string): Arguments {
  return json(rest) ?? plain(rest);
}

function typed(rest: string): Arguments {
  if (rest === '') return none;
  let end = 0;
  while (end < rest.length && !isBlank(rest.charAt(end))) end += 1;
  return { kind: 'typed', type: rest.slice(0, end), rest: jsonOrText(trimStart(rest.slice(end))) };
}

/** Whether the first word has a `=` decides between `a=b c="d e"` and the old `name everything else`. */
function pairs(keyword: string, rest: string, escape: string): Arguments {
  const words = quotedWords(rest, escape);
  const [first] = words;
  if (first === undefined) return none;
  if (!first.includes('=')) {
    const [, name = '', value] = /^([^\t\v\f\r ]*)[\t\v\f\r ]+(.*)$/s.exec(rest) ?? [];
    if (value === undefined) throw invalid(`${keyword} must have two arguments`);
    return { kind: 'pairs', pairs: [{ name, value, isLegacy: true }] };
  }
  return { kind: 'pairs', pairs: words.map(pairOf) };
}

function pairOf(word: string): Pair {
  const at = word.indexOf('=');
  if (at < 0) {
    throw invalid(`Syntax error - can't find = in ${goQuote(word)}. Must be of the form: name=value`);
  }
  return { name: word.slice(0, at), value: word.slice(at + 1), isLegacy: false };
}
