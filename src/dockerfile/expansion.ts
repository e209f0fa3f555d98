import { EngineError, invalid } from '#/base/errors.ts';
import { hintOf, invalidHinted } from './errors.ts';
import { parseShellPattern, replaceMatches, trimPrefix, trimSuffix } from './shell-pattern.ts';
import { isBlank } from './text.ts';

/** Where the values come from; a Map of strings is one. */
export interface Variables {
  get(name: string): string | undefined;
}

/** What becomes of the parts of a word. */
export interface ExpansionRules {
  readonly escape: string;
  /** Quotes protect and go, protect and stay, or are characters like others. */
  readonly quotes: 'remove' | 'keep' | 'ordinary';
  readonly keepEscapes: boolean;
  /** References to variables without a value stay. */
  readonly keepUnset: boolean;
  readonly onVariable?: (name: string, isSet: boolean) => void;
}

/** The text of a word, and the words in it. */
export type ExpansionResult =
  | { readonly kind: 'expanded'; readonly text: string; readonly words: readonly string[] }
  | { readonly kind: 'failed'; readonly reason: string; readonly hint: string };

/** Characters that a result may have: no variable of Linux is longer, and they can double from line to line. */
const maxLength = 1024 * 1024;
/** References inside of references. */
const maxDepth = 50;
/** Characters looked at in values, times the length of the pattern. */
const maxSteps = 16_000_000;

const howToWrite =
  'Variables are written $NAME, ${NAME} or ${NAME:-default}. A $ or quote that is meant as such needs a backslash in front.';

const missingBrace = "syntax error: missing '}'";

/** The reading of one word. To be run once. */
export class Expansion {
  readonly #chars: readonly string[];
  readonly #variables: Variables;
  readonly #rules: ExpansionRules;
  #at = 0;
  #depth = 0;
  #steps = 0;

  constructor(word: string, variables: Variables, rules: ExpansionRules) {
    this.#chars = Array.from(word);
    this.#variables = variables;
    this.#rules = rules;
  }

  run(): ExpansionResult {
    try {
      const output = this.#upTo(undefined, this.#rules.keepEscapes);
      return { kind: 'expanded', text: output.text, words: output.words() };
    } catch (error) {
      if (error instanceof EngineError) {
        return { kind: 'failed', reason: error.message, hint: hintOf(error) ?? howToWrite };
      }
      throw error;
    }
  }

  /** Reads up to and over the character, or to the end. */
  #upTo(stop: string | undefined, keepEscapes: boolean): Output {
    const output = new Output();
    const { quotes, escape } = this.#rules;
    for (let char = this.#chars[this.#at]; char !== undefined; char = this.#chars[this.#at]) {
      if (char === stop) {
        this.#at += 1;
        return output;
      }
      if (char === '$') output.addSplit(this.#reference());
      else if (char === '<') output.addWhole(this.#angle());
      else if (char === "'" && quotes !== 'ordinary') output.addWhole(this.#singleQuoted());
      else if (char === '"' && quotes !== 'ordinary') output.addWhole(this.#doubleQuoted(keepEscapes));
      else if (char === escape) {
        const next = this.#chars[this.#at + 1];
        output.addWhole((keepEscapes ? escape : '') + (next ?? ''));
        this.#at += next === undefined ? 1 : 2;
      } else {
        output.addSplit(char);
        this.#at += 1;
      }
    }
    if (stop !== undefined) throw invalid(`unexpected end of statement while looking for matching ${stop}`);
    return output;
  }

  #singleQuoted(): string {
    const end = this.#chars.indexOf("'", this.#at + 1);
    if (end < 0) throw invalid('unexpected end of statement while looking for matching single-quote');
    const inside = this.#chars.slice(this.#at + 1, end).join('');
    this.#at = end + 1;
    return this.#rules.quotes === 'keep' ? `'${inside}'` : inside;
  }

  /** Inside of double quotes the escape protects only what would mean something there. */
  #doubleQuoted(keepEscapes: boolean): string {
    const { quotes, escape } = this.#rules;
    const mark = quotes === 'keep' ? '"' : '';
    this.#at += 1;
    let inside = '';
    for (let char = this.#chars[this.#at]; char !== undefined; char = this.#chars[this.#at]) {
      if (char === '$') {
        inside += this.#reference();
        continue;
      }
      this.#at += 1;
      if (char === '"') return mark + inside + mark;
      if (char !== escape) {
        inside += char;
        continue;
      }
      const next = this.#chars[this.#at];
      if (next === undefined) break;
      const protects = next === '"' || next === '$' || next === escape;
      inside += protects ? (keepEscapes ? escape : '') + next : escape;
      if (protects) this.#at += 1;
    }
    throw invalid('unexpected end of statement while looking for matching double-quote');
  }

  /** `<<` keeps the word behind it, even over blanks: the start of a here-document. */
  #angle(): string {
    this.#at += 1;
    if (this.#chars[this.#at] !== '<') return '<';
    const from = this.#at;
    do this.#at += 1;
    while ([' ', '\t', '\r'].includes(this.#chars[this.#at] ?? ''));
    return `<${this.#chars.slice(from, this.#at).join('')}`;
  }

  #reference(): string {
    this.#at += 1;
    if (this.#chars[this.#at] !== '{') {
      const name = this.#name();
      if (name === '') return '$';
      return this.#value(name) ?? (this.#rules.keepUnset ? `$${name}` : '');
    }
    this.#at += 1;
    if (this.#depth >= maxDepth) throw invalid(`more than ${maxDepth} substitutions inside of each other`);
    this.#depth += 1;
    const text = this.#braced();
    this.#depth -= 1;
    return text;
  }

  /** What follows `${`. */
  #braced(): string {
    const first = this.#chars[this.#at];
    if (first === undefined) throw invalid(missingBrace);
    if (['{', '}', ':'].includes(first)) throw invalid('syntax error: bad substitution');
    const name = this.#name();
    const operator = this.#next();
    if (operator === '}') return this.#value(name) ?? (this.#rules.keepUnset ? `\${${name}}` : '');
    if (operator === '/') return this.#replaced(name);
    const modifier = operator === ':' ? operator + this.#next() : operator;
    if (['-', ':-', '+', ':+', '?', ':?'].includes(modifier)) return this.#conditional(name, modifier);
    if (['#', '%'].includes(modifier)) return this.#trimmed(name, modifier);
    // A missing brace is what should be said first.
    if (modifier !== operator) this.#operand('}', false);
    throw invalid(`unsupported modifier (${modifier}) in substitution`);
  }

  #conditional(name: string, modifier: string): string {
    const word = this.#operand('}', false);
    const value = this.#value(name);
    if (value === undefined && this.#rules.keepUnset) return `\${${name}${modifier}${word}}`;
    const isMissing = value === undefined || (modifier.startsWith(':') && value === '');
    const operator = modifier.at(-1);
    if (operator === '-') return isMissing ? word : value;
    if (operator === '+') return isMissing ? '' : word;
    if (!isMissing) return value;
    throw invalidHinted(
      `${name}: ${word || `is not allowed to be ${value === undefined ? 'unset' : 'empty'}`}`,
      `Give ${name} a value: with ENV or ARG before this, or with --build-arg ${name}=VALUE where ARG ${name} declares it.`,
    );
  }

  #trimmed(name: string, operator: string): string {
    const word = this.#operand('}', true);
    const value = this.#value(name);
    if (value === undefined && this.#rules.keepUnset) return `\${${name}${operator}${word}}`;
    const longest = word.startsWith(operator);
    const tokens = parseShellPattern(longest ? word.slice(1) : word);
    this.#spend((value?.length ?? 0) * tokens.length);
    return (operator === '#' ? trimPrefix : trimSuffix)(value ?? '', tokens, longest);
  }

  #replaced(name: string): string {
    const all = this.#chars[this.#at] === '/';
    if (all) this.#at += 1;
    const pattern = this.#operand('/', true);
    const replacement = this.#operand('}', true);
    const value = this.#value(name);
    if (value === undefined && this.#rules.keepUnset) {
      return `\${${name}${all ? '//' : '/'}${pattern}/${replacement}}`;
    }
    const tokens = parseShellPattern(pattern);
    this.#spend((value?.length ?? 0) * tokens.length);
    return replaceMatches(value ?? '', tokens, { replacement, all });
  }

  #operand(stop: '}' | '/', keepEscapes: boolean): string {
    try {
      return this.#upTo(stop, keepEscapes).text;
    } catch (error) {
      if (this.#at < this.#chars.length) throw error;
      throw invalid(stop === '}' ? missingBrace : "syntax error: missing '/' in ${}", error);
    }
  }

  #next(): string {
    const char = this.#chars[this.#at];
    if (char === undefined) throw invalid(missingBrace);
    this.#at += 1;
    return char;
  }

  /** A name, a number, one of the shell's special parameters, or nothing. */
  #name(): string {
    const first = this.#chars[this.#at] ?? '';
    const isNumber = /\p{Nd}/u.test(first);
    if (first !== '' && '@*#?-$!'.includes(first)) return this.#next();
    const allowed = isNumber ? /\p{Nd}/u : /[\p{L}\p{Nd}_]/u;
    const from = this.#at;
    while (allowed.test(this.#chars[this.#at] ?? '')) this.#at += 1;
    return this.#chars.slice(from, this.#at).join('');
  }

  #value(name: string): string | undefined {
    const value = this.#variables.get(name);
    this.#rules.onVariable?.(name, value !== undefined);
    this.#spend(value?.length ?? 0);
    return value;
  }

  #spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > maxSteps) throw invalid('the substitutions take too long');
  }
}

/** Text that is put together, and the words in it. */
class Output {
  text = '';
  readonly #words: string[] = [];
  #word = '';

  /** Blanks in this separate words. */
  addSplit(text: string): void {
    for (const char of text) {
      if (!isBlank(char)) this.#word += char;
      else this.#endWord();
    }
    this.#append(text);
  }

  /** Blanks in this belong to the word. */
  addWhole(text: string): void {
    this.#word += text;
    this.#append(text);
  }

  words(): readonly string[] {
    this.#endWord();
    return this.#words;
  }

  #append(text: string): void {
    this.text += text;
    if (this.text.length > maxLength) throw invalid(`the result is longer than ${maxLength} characters`);
  }

  #endWord(): void {
    if (this.#word !== '') this.#words.push(this.#word);
    this.#word = '';
  }
}
