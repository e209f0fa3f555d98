import { goQuote } from '#/base/go-quote.ts';
import { invalidHinted } from './errors.ts';
import { Expansion, type ExpansionRules, type Variables } from './expansion.ts';

export type { Variables } from './expansion.ts';

/** The character that protects others and continues lines. */
export type EscapeToken = '\\' | '`';

/** How a word of a Dockerfile is to be expanded. */
export interface ExpandOptions {
  /** That of the file; default backslash. */
  readonly escape?: EscapeToken;
  /** Hears of every variable that is looked up. */
  readonly onVariable?: (name: string, isSet: boolean) => void;
}

const usual = { escape: '\\', quotes: 'remove', keepEscapes: false, keepUnset: false } as const;

/**
 * A word as Docker sees it: `$name`, `${name}` and `${name…}` with the modifiers `-`, `:-`, `+`, `:+`, `?`, `:?`, `#`, `##`, `%`,
 * `%%`, `/`, `//` are replaced, quotes and escapes are resolved. Throws `invalid` for what is malformed and for `?`.
 */
export function expandWord(word: string, variables: Variables, options: ExpandOptions = {}): string {
  return run(word, variables, { ...usual, ...options }).text;
}

/** Like `expandWord`, but the result is split at blanks that are not quoted: what EXPOSE does. */
export function expandWords(
  word: string,
  variables: Variables,
  options: ExpandOptions = {},
): readonly string[] {
  return run(word, variables, { ...usual, ...options }).words;
}

/** The content of a here-document of COPY or ADD: quotes stay, the escape is always a backslash. */
export function expandHeredoc(
  content: string,
  variables: Variables,
  options: Pick<ExpandOptions, 'onVariable'> = {},
): string {
  return run(content, variables, { ...usual, ...options, quotes: 'ordinary' }).text;
}

/** An instruction for people: variables that have a value are replaced, quotes stay. A malformed one stays as it is. */
export function expandForDisplay(text: string, variables: Variables, options: ExpandOptions = {}): string {
  const expansion = new Expansion(text, variables, { ...usual, ...options, quotes: 'keep', keepUnset: true });
  const result = expansion.run();
  return result.kind === 'failed' ? text : result.text;
}

/** The words of a line as they are written, blanks inside of quotes not separating; undefined if quotes do not match. */
export function rawWords(line: string): readonly string[] | undefined {
  return plainWords(line, { ...usual, quotes: 'keep', keepEscapes: true, keepUnset: true });
}

/** Like `rawWords`, without the quotes and escapes. */
export function bareWords(line: string): readonly string[] | undefined {
  return plainWords(line, { ...usual, keepUnset: true });
}

function plainWords(line: string, rules: ExpansionRules): readonly string[] | undefined {
  const result = new Expansion(line, new Map(), rules).run();
  return result.kind === 'failed' ? undefined : result.words;
}

function run(
  word: string,
  variables: Variables,
  rules: ExpansionRules,
): { text: string; words: readonly string[] } {
  const result = new Expansion(word, variables, rules).run();
  if (result.kind === 'failed') {
    throw invalidHinted(`failed to process ${goQuote(word)}: ${result.reason}`, result.hint);
  }
  return result;
}
