import { EngineError, invalid } from '#/base/errors.ts';
import { readArguments } from './arguments.ts';
import { type Directive, type DirectiveName, parseDirective } from './directives.ts';
import { DockerfileError, placed } from './errors.ts';
import type { EscapeToken } from './expand.ts';
import { type Heredoc, type HeredocMark, heredocMarks } from './heredoc.ts';
import { LogicalLine } from './logical-line.ts';
import type { Arguments, FlagNode, SyntaxNode, SyntaxTree } from './node.ts';
import type { Position, SourceRange, SourceText } from './source.ts';
import { trimBlanks, trimStart } from './text.ts';
import { usageOf } from './usage.ts';
import { splitInstruction } from './words.ts';

/** Bytes of a Dockerfile. */
const maxBytes = 4 * 1024 * 1024;
/** Bytes of one of its lines. */
const maxLineBytes = 65_535;
const maxInstructions = 10_000;

const large = 'Put large content into files of the context and COPY them.';
const beginning = 'Begin with FROM and the image to build on, or with FROM scratch.';

/** Takes a Dockerfile apart into instructions. `name` is what messages call the file. */
export function readSyntax(bytes: Uint8Array, name: string): SyntaxTree {
  return new Reader(bytes, name).read();
}

/** What one line says of an instruction. */
interface ParsedLine extends Omit<SyntaxNode, 'heredocs' | 'range' | 'comments'> {
  readonly start: Position;
}

/** What may come before the first instruction is known to be whole. */
interface OpenLine {
  readonly line: LogicalLine;
  readonly firstLine: number;
  hasEmptyLines: boolean;
}

class Reader {
  readonly #source: SourceText;
  /** Lines as they are, without line feeds but with carriage returns. */
  readonly #lines: readonly string[];
  readonly #nodes: SyntaxNode[] = [];
  readonly #directives = new Map<DirectiveName, Directive>();
  readonly #emptyContinuations: SourceRange[] = [];
  #directivesEnded = false;
  #comments: string[] = [];
  #escape: EscapeToken = '\\';
  /** Index of the next line. */
  #next = 0;

  constructor(bytes: Uint8Array, name: string) {
    const text = bytes.byteLength > maxBytes ? '' : new TextDecoder().decode(bytes);
    const lines = text.split('\n');
    this.#source = { name, lines: lines.map(withoutReturns) };
    // A line feed ends the last line, it does not begin one more.
    if (lines.at(-1) === '') lines.pop();
    this.#lines = lines;
    if (bytes.byteLength > maxBytes) {
      throw this.#problem(1, `the Dockerfile is larger than ${maxBytes} bytes`, large);
    }
    if (bytes.byteLength === 0) throw this.#problem(1, 'the Dockerfile cannot be empty', beginning);
  }

  read(): SyntaxTree {
    while (this.#next < this.#lines.length) {
      const open = this.#firstLine();
      if (open !== undefined) this.#finish(open);
    }
    if (this.#nodes.length === 0) {
      throw this.#problem(Math.max(1, this.#lines.length), 'file with no instructions', beginning);
    }
    return {
      source: this.#source,
      nodes: this.#nodes,
      escape: this.#escape,
      syntax: this.#directives.get('syntax')?.value,
      check: this.#directives.get('check')?.value,
      emptyContinuations: this.#emptyContinuations,
    };
  }

  /** Begins an instruction with the next line, if that is part of one; goes on until it is whole. */
  #firstLine(): OpenLine | undefined {
    const number = this.#next + 1;
    const raw = this.#takeLine();
    const line = trimStart(withoutReturns(raw));
    if (line.startsWith('#')) {
      this.#comment(line, number);
      return undefined;
    }
    this.#directivesEnded = true;
    const open: OpenLine = { line: new LogicalLine(), firstLine: number, hasEmptyLines: false };
    const goesOn = this.#append(open.line, line, {
      line: number,
      column: raw.length - trimStart(raw).length + 1,
    });
    if (!goesOn && line === '') return undefined;
    if (goesOn) this.#continue(open);
    return open;
  }

  #continue(open: OpenLine): void {
    while (this.#next < this.#lines.length) {
      const number = this.#next + 1;
      const line = withoutReturns(this.#takeLine());
      const bare = trimStart(line);
      if (bare.startsWith('#')) continue;
      if (bare === '') open.hasEmptyLines = true;
      else if (!this.#append(open.line, line, { line: number, column: 1 })) return;
    }
  }

  /** Adds a line without its continuation mark; tells whether it had one. */
  #append(to: LogicalLine, line: string, start: { line: number; column: number }): boolean {
    let end = line.length;
    while (' \t'.includes(line.charAt(end - 1)) && end > 0) end -= 1;
    const bare = line.slice(0, end);
    const goesOn = bare.endsWith(this.#escape) && !bare.endsWith(this.#escape + this.#escape);
    to.append(goesOn ? bare.slice(0, -1) : line, start);
    return goesOn;
  }

  #comment(line: string, number: number): void {
    const text = trimBlanks(line.slice(1));
    const directive = this.#directivesEnded ? undefined : parseDirective(text);
    if (directive === undefined) {
      this.#directivesEnded = true;
      if (text === '') this.#comments = [];
      else this.#comments.push(text);
      return;
    }
    if (this.#directives.has(directive.name)) {
      throw this.#problem(
        number,
        `only one ${directive.name} parser directive can be used`,
        'Remove one of the lines, or put an ordinary comment in front to make it one, too.',
      );
    }
    if (directive.name === 'escape') {
      if (directive.value !== '\\' && directive.value !== '`') {
        throw this.#problem(
          number,
          `invalid escape token '${directive.value}' does not match \` or \\`,
          'Write # escape=` or # escape=\\, or remove the line: the backslash is the default.',
        );
      }
      this.#escape = directive.value;
    }
    this.#directives.set(directive.name, { ...directive, range: this.#lineRange(number, number) });
  }

  #finish({ line, firstLine, hasEmptyLines }: OpenLine): void {
    try {
      if (this.#nodes.length >= maxInstructions) throw invalid(`more than ${maxInstructions} instructions`);
      const { start, ...parsed } = this.#parse(line);
      const marks = mayHaveHeredocs(parsed) ? heredocMarks(line.text) : [];
      if (hasEmptyLines) this.#emptyContinuations.push(this.#lineRange(this.#next, this.#next));
      const heredocs = marks.map((mark) => this.#heredoc(mark, firstLine));
      const range = { start, end: this.#lineRange(firstLine, this.#next).end };
      this.#nodes.push({ ...parsed, heredocs, range, comments: this.#comments });
      this.#comments = [];
    } catch (error) {
      if (!(error instanceof EngineError) || error instanceof DockerfileError) throw error;
      const [keyword = ''] = line.text.trim().split(/\s/, 1);
      const place = {
        source: this.#source,
        range: this.#lineRange(firstLine, this.#next),
        hint: usageOf(keyword),
      };
      throw placed(error, place);
    }
  }

  /** Reads an instruction in a line, or the one that begins at `offset` of it: the one inside of an ONBUILD. */
  #parse(line: LogicalLine, offset = 0): ParsedLine {
    const text = line.text.slice(offset);
    const split = splitInstruction(text, this.#escape);
    const flags: FlagNode[] = split.flags.map((flag) => ({
      text: flag.text,
      range: line.range(offset + flag.from, offset + flag.to),
    }));
    const isTrigger = offset > 0;
    const args =
      split.keyword.toUpperCase() === 'ONBUILD'
        ? this.#trigger(line, isTrigger || split.rest === '' ? undefined : split.restFrom)
        : readArguments(split.keyword, split.rest, this.#escape);
    const start = line.range(offset + split.from, offset + split.from).start;
    return { keyword: split.keyword, flags, args, text: trimBlanks(text), start };
  }

  #trigger(line: LogicalLine, offset: number | undefined): Arguments {
    if (offset === undefined) return { kind: 'none' };
    const { start, ...trigger } = this.#parse(line, offset);
    const range = { start, end: line.range(offset, line.text.length).end };
    return { kind: 'trigger', trigger: { ...trigger, heredocs: [], range, comments: [] } };
  }

  #heredoc(mark: HeredocMark, firstLine: number): Heredoc {
    const from = this.#next;
    for (;;) {
      if (this.#next >= this.#lines.length) {
        throw new DockerfileError('unterminated heredoc', {
          source: this.#source,
          range: this.#lineRange(firstLine, this.#lines.length),
          hint: `Add a line that has only ${JSON.stringify(mark.name)} on it, where the here-document is to end.`,
        });
      }
      const line = withoutReturns(this.#takeLine());
      if ((mark.stripsTabs ? line.replace(/^\t+/, '') : line) === mark.name) break;
    }
    const lines = this.#lines.slice(from, this.#next - 1);
    return {
      ...mark,
      content: lines.map((line) => `${line}\n`).join(''),
      range: { start: { line: from + 1, column: 1 }, end: { line: this.#next, column: 1 } },
    };
  }

  #takeLine(): string {
    const line = this.#lines[this.#next] ?? '';
    this.#next += 1;
    if (line.length * 3 > maxLineBytes && Buffer.byteLength(line) > maxLineBytes) {
      throw this.#problem(
        this.#next,
        `dockerfile line greater than max allowed size of ${maxLineBytes}`,
        large,
      );
    }
    return line;
  }

  #lineRange(first: number, last: number): SourceRange {
    const length = this.#source.lines[last - 1]?.length ?? 0;
    return { start: { line: first, column: 1 }, end: { line: last, column: length + 1 } };
  }

  #problem(line: number, message: string, hint: string): DockerfileError {
    return new DockerfileError(message, { source: this.#source, range: this.#lineRange(line, line), hint });
  }
}

function withoutReturns(line: string): string {
  let end = line.length;
  while (line.charAt(end - 1) === '\r') end -= 1;
  return line.slice(0, end);
}

function mayHaveHeredocs({ keyword, args }: Pick<SyntaxNode, 'keyword' | 'args'>): boolean {
  if (args.kind === 'trigger') return mayHaveHeredocs(args.trigger);
  return ['ADD', 'COPY', 'RUN'].includes(keyword.toUpperCase()) && args.kind !== 'json';
}
