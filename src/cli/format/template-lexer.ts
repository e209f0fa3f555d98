/**
 * Tokens of Go's text/template (https://pkg.go.dev/text/template). Splits a template into text and, between `{{` and
 * `}}`, the words of an action. A mistake becomes one last token of kind "error", so that the parser reports it in
 * order with its own findings, as Go does.
 */

/** What a token is. Keywords are their own kind. */
type TokenKind =
  | 'text'
  | 'leftDelim'
  | 'rightDelim'
  | 'space'
  | 'assign'
  | 'declare'
  | 'pipe'
  | 'string'
  | 'rawString'
  | 'charConstant'
  | 'number'
  | 'bool'
  | 'field'
  | 'dot'
  | 'variable'
  | 'identifier'
  | 'leftParen'
  | 'rightParen'
  | 'char'
  | 'keyword'
  | 'error'
  | 'eof';

/** A word of the template. */
export interface Token {
  readonly kind: TokenKind;
  /** The source text; the message of an error. */
  readonly text: string;
  /** Offset into the template in UTF-16 units. */
  readonly position: number;
  /** Counted from 1. */
  readonly line: number;
}

const keywords = new Set([
  'block',
  'break',
  'continue',
  'define',
  'else',
  'end',
  'if',
  'nil',
  'range',
  'template',
  'with',
]);
const whiteSpace = ' \t\r\n';
const isSpace = (char: string | undefined): boolean => char !== undefined && whiteSpace.includes(char);
const isWordCharacter = (char: string | undefined): boolean =>
  char !== undefined && /[\p{L}\p{Nd}_]/u.test(char);

/** A character the way Go's `%#U` prints it. */
function codePointName(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  return `U+${code.toString(16).toUpperCase().padStart(4, '0')} '${char}'`;
}

/** All tokens of a template; the last one is "eof" or "error". */
export function tokenize(source: string): Token[] {
  return new Lexer(source).run();
}

class Lexer {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  #position = 0;
  #line = 1;
  #counted = 0;
  #depth = 0;
  #failed = false;

  constructor(source: string) {
    this.#source = source;
  }

  run(): Token[] {
    while (!this.#failed && this.#position < this.#source.length) this.#text();
    if (!this.#failed) this.#emit('eof', this.#position);
    return this.#tokens;
  }

  #emit(kind: TokenKind, from: number, text = this.#source.slice(from, this.#position)): void {
    for (; this.#counted < from; this.#counted += 1)
      if (this.#source[this.#counted] === '\n') this.#line += 1;
    this.#tokens.push({ kind, text, position: from, line: this.#line });
  }

  #fail(message: string, from: number): void {
    this.#emit('error', from, message);
    this.#failed = true;
  }

  #text(): void {
    const start = this.#position;
    const found = this.#source.indexOf('{{', start);
    const end = found === -1 ? this.#source.length : found;
    const trimsLeft = this.#source[end + 2] === '-' && isSpace(this.#source[end + 3]);
    const text = this.#source.slice(start, end);
    const kept = found !== -1 && trimsLeft ? text.trimEnd() : text;
    if (kept !== '') this.#emit('text', start, kept);
    this.#position = end;
    if (found !== -1) this.#action(trimsLeft);
  }

  #action(trimsLeft: boolean): void {
    const start = this.#position;
    this.#position += trimsLeft ? 3 : 2;
    const body = this.#position + (trimsLeft ? 1 : 0);
    if (this.#source.startsWith('/*', body)) {
      this.#comment(body);
      return;
    }
    this.#emit('leftDelim', start);
    this.#depth = 0;
    while (!this.#failed && !this.#closed()) this.#word();
  }

  #comment(body: number): void {
    const end = this.#source.indexOf('*/', body + 2);
    if (end === -1) {
      this.#fail('unclosed comment', body);
      return;
    }
    this.#position = end + 2;
    if (!this.#skipRightDelim()) this.#fail('comment ends before closing delimiter', body);
  }

  #trimsRight(): boolean {
    return isSpace(this.#source[this.#position]) && this.#source.startsWith('-}}', this.#position + 1);
  }

  /** Steps over `}}` or ` -}}` (and, for the latter, over the white space of the text that follows). */
  #skipRightDelim(): boolean {
    if (this.#trimsRight()) {
      this.#position += 4;
      while (isSpace(this.#source[this.#position])) this.#position += 1;
      return true;
    }
    if (!this.#source.startsWith('}}', this.#position)) return false;
    this.#position += 2;
    return true;
  }

  #closed(): boolean {
    const start = this.#position;
    const trims = this.#trimsRight();
    if (!trims && !this.#source.startsWith('}}', start)) return false;
    if (this.#depth > 0) {
      this.#fail('unclosed left paren', start);
      return true;
    }
    this.#skipRightDelim();
    this.#emit('rightDelim', trims ? start + 2 : start, '}}');
    return true;
  }

  #word(): void {
    const start = this.#position;
    const char = String.fromCodePoint(this.#source.codePointAt(start) ?? 0);
    if (start >= this.#source.length) this.#fail('unclosed action', start);
    else if (isSpace(char)) this.#spaces();
    else if (char === '"') this.#quoted('"', 'string', 'unterminated quoted string');
    else if (char === "'") this.#quoted("'", 'charConstant', 'unterminated character constant');
    else if (char === '`') this.#rawQuoted();
    else if (char === '$') this.#dotted('variable');
    else if (char === '.' && !/[0-9]/.test(this.#source[start + 1] ?? '')) this.#dotted('field');
    else if (/[0-9.+-]/.test(char)) this.#number();
    else if (isWordCharacter(char)) this.#identifier();
    else this.#punctuation(char);
  }

  #spaces(): void {
    const start = this.#position;
    while (isSpace(this.#source[this.#position]) && !this.#trimsRight()) this.#position += 1;
    this.#emit('space', start);
  }

  #punctuation(char: string): void {
    const start = this.#position;
    this.#position += char.length;
    if (char === '=') this.#emit('assign', start);
    else if (char === '|') this.#emit('pipe', start);
    else if (char === '(') {
      this.#depth += 1;
      this.#emit('leftParen', start);
    } else if (char === ')') {
      this.#depth -= 1;
      if (this.#depth < 0) this.#fail('unexpected right paren', start);
      else this.#emit('rightParen', start);
    } else if (char === ':') {
      if (this.#source[this.#position] !== '=') {
        this.#fail('expected :=', start);
        return;
      }
      this.#position += 1;
      this.#emit('declare', start);
    } else if (char >= '!' && char <= '~') this.#emit('char', start);
    else this.#fail(`unrecognized character in action: ${codePointName(char)}`, start);
  }

  #quoted(quote: string, kind: TokenKind, message: string): void {
    const start = this.#position;
    for (let at = start + 1; at < this.#source.length; at += 1) {
      const char = this.#source[at];
      if (char === '\\' && this.#source[at + 1] !== '\n') at += 1;
      else if (char === '\n' || char === '\\') break;
      else if (char === quote) {
        this.#position = at + 1;
        this.#emit(kind, start);
        return;
      }
    }
    this.#fail(message, start);
  }

  #rawQuoted(): void {
    const start = this.#position;
    const end = this.#source.indexOf('`', start + 1);
    if (end === -1) {
      this.#fail('unterminated raw quoted string', start);
      return;
    }
    this.#position = end + 1;
    this.#emit('rawString', start);
  }

  #skipWord(): void {
    for (;;) {
      const char = this.#source.codePointAt(this.#position);
      if (char === undefined) return;
      const text = String.fromCodePoint(char);
      if (!isWordCharacter(text)) return;
      this.#position += text.length;
    }
  }

  /** Tells whether a word may end here; reports the character that glues to it if not. */
  #endsWord(start: number): boolean {
    const char = this.#source[this.#position];
    if (char === undefined || isSpace(char) || '.,|:)('.includes(char)) return true;
    if (this.#source.startsWith('}}', this.#position)) return true;
    this.#fail(
      `bad character ${codePointName(String.fromCodePoint(this.#source.codePointAt(this.#position) ?? 0))}`,
      start,
    );
    return false;
  }

  #dotted(kind: 'field' | 'variable'): void {
    const start = this.#position;
    this.#position += 1;
    this.#skipWord();
    if (!this.#endsWord(start)) return;
    this.#emit(kind === 'field' && this.#position === start + 1 ? 'dot' : kind, start);
  }

  #identifier(): void {
    const start = this.#position;
    this.#skipWord();
    if (!this.#endsWord(start)) return;
    const word = this.#source.slice(start, this.#position);
    if (keywords.has(word)) this.#emit('keyword', start);
    else this.#emit(word === 'true' || word === 'false' ? 'bool' : 'identifier', start);
  }

  #number(): void {
    const start = this.#position;
    const number =
      /[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?|0[oO][0-7_]*|0[bB][01_]*|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)/y;
    number.lastIndex = start;
    this.#position += number.exec(this.#source)?.[0].length ?? 0;
    if (isWordCharacter(this.#source[this.#position]) || this.#position === start) {
      this.#position += 1;
      this.#fail(`bad number syntax: ${JSON.stringify(this.#source.slice(start, this.#position))}`, start);
      return;
    }
    this.#emit('number', start);
  }
}
