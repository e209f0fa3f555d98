/** What Go says of a text that ends too early. */
const endOfInput = 'unexpected end of JSON input';

/**
 * What is wrong with a text that is no JSON, in the words of Go's encoding/json, which clients of Docker know: the first byte that
 * cannot be there and where that is, or that the text ends too early. Undefined for a text that is JSON.
 */
export function jsonSyntaxProblem(text: string): string | undefined {
  // Go looks at bytes.
  const scanner = new Scanner(Buffer.from(text).toString('latin1'));
  try {
    scanner.document();
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error.message;
    throw error;
  }
}

/** As `jsonSyntaxProblem`, in the words of a reader of a stream. */
export function jsonStreamProblem(text: string): string | undefined {
  const problem = jsonSyntaxProblem(text);
  return problem === endOfInput ? 'unexpected EOF' : problem;
}

class Problem extends Error {}

const space = /[ \t\r\n]*/y;
const digits = /[0-9]*/y;
/** All bytes but quotes, backslashes and control characters. */
const plainCharacters = /[ !#-[\]-\xff]*/y;
const literals: Readonly<Record<string, string>> = { t: 'true', f: 'false', n: 'null' };

/** Goes through a text by the grammar of RFC 8259; nesting is kept in a list, so that it may be as deep as the text is long. */
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): void {
    /** What each value that is open ends with. */
    const open: ('}' | ']')[] = [];
    for (;;) {
      const opened = this.#value();
      if (opened !== undefined) {
        open.push(opened);
        if (opened === '}') this.#key();
        continue;
      }
      for (;;) {
        const end = open.at(-1);
        this.#skip(space);
        if (end === undefined) {
          if (this.#at < this.#text.length) throw this.#problem('after top-level value');
          return;
        }
        if (this.#take(',')) {
          if (end === '}') this.#key('looking for beginning of object key string');
          break;
        }
        if (!this.#take(end))
          throw this.#problem(end === '}' ? 'after object key:value pair' : 'after array element');
        open.pop();
      }
    }
  }

  /** A value without members, or the beginning of one with members: what that will end with. */
  #value(): '}' | ']' | undefined {
    this.#skip(space);
    const next = this.#text[this.#at];
    if (next === '{' || next === '[') {
      const end = next === '{' ? '}' : ']';
      this.#at += 1;
      this.#skip(space);
      return this.#take(end) ? undefined : end;
    }
    const literal = literals[next ?? ''];
    if (next === '"') this.#string();
    else if (literal !== undefined) this.#literal(literal);
    else if (next !== undefined && /[-0-9]/.test(next)) this.#number();
    else throw this.#problem('looking for beginning of value');
    return undefined;
  }

  #key(where: string = 'looking for beginning of object key string'): void {
    this.#skip(space);
    if (this.#text[this.#at] !== '"') throw this.#problem(where);
    this.#string();
    this.#skip(space);
    if (!this.#take(':')) throw this.#problem('after object key');
  }

  #string(): void {
    this.#at += 1;
    for (;;) {
      this.#skip(plainCharacters);
      if (this.#take('"')) return;
      if (!this.#take('\\')) throw this.#problem('in string literal');
      if (this.#take('u')) {
        for (let digit = 0; digit < 4; digit += 1)
          this.#one(/[0-9a-fA-F]/, 'in \\u hexadecimal character escape');
      } else {
        this.#one(/["\\/bfnrt]/, 'in string escape code');
      }
    }
  }

  #literal(word: string): void {
    for (const letter of word) {
      if (!this.#take(letter)) throw this.#problem(`in literal ${word} (expecting '${letter}')`);
    }
  }

  #number(): void {
    this.#take('-');
    if (!this.#take('0')) {
      this.#one(/[0-9]/, 'in numeric literal');
      this.#skip(digits);
    }
    if (this.#take('.')) {
      this.#one(/[0-9]/, 'after decimal point in numeric literal');
      this.#skip(digits);
    }
    if (this.#take('e') || this.#take('E')) {
      if (!this.#take('+')) this.#take('-');
      this.#one(/[0-9]/, 'in exponent of numeric literal');
      this.#skip(digits);
    }
  }

  #skip(pattern: RegExp): void {
    pattern.lastIndex = this.#at;
    pattern.test(this.#text);
    this.#at = pattern.lastIndex;
  }

  #take(character: string): boolean {
    const found = this.#text[this.#at] === character;
    if (found) this.#at += 1;
    return found;
  }

  #one(pattern: RegExp, where: string): void {
    if (!pattern.test(this.#text[this.#at] ?? '')) throw this.#problem(where);
    this.#at += 1;
  }

  #problem(where: string): Problem {
    const character = this.#text[this.#at];
    return new Problem(
      character === undefined ? endOfInput : `invalid character ${quoted(character)} ${where}`,
    );
  }
}

function quoted(character: string): string {
  if (character === "'") return "'\\''";
  if (character === '"') return `'"'`;
  return `'${JSON.stringify(character).slice(1, -1)}'`;
}
