import type { Output } from '../command.ts';

/** How text of others is shown. */
export interface SafeOptions {
  /** Colours and styles stay; they end with their line. */
  readonly colors?: boolean;
}

/** Escape sequences of terminals (ECMA-48): CSI, strings such as OSC with their ends, and those of two characters. */
const sequences =
  // oxlint-disable-next-line no-control-regex -- control characters are the point
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?|(?:\u001b[PX\]^_]|[\u0090\u0098\u009d-\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]?/g;
// oxlint-disable-next-line no-control-regex -- so they are here
const style = /^\u001b\[[\d;:]*m$/;
// oxlint-disable-next-line no-control-regex -- and here
const controls = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g;
/** They would turn the order of what follows around. */
const directions = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const styleEnd = '\u001b[m';

/**
 * One line of text that comes from a build, an image or a repository, so that it stays on its line whatever it has: escape
 * sequences and control characters are gone, and of what a program has drawn over itself only the last is left.
 */
export function safeLine(text: string, { colors = false }: SafeOptions = {}): string {
  const line = new Line();
  let at = 0;
  for (const { 0: sequence, index } of text.matchAll(sequences)) {
    line.print(text.slice(at, index));
    at = index + sequence.length;
    if (colors && style.test(sequence)) line.setStyle(sequence);
  }
  line.print(text.slice(at));
  return line.text;
}

/** A line as a terminal would have it after all that was written to it. */
class Line {
  #text = '';
  #style = '';
  /** The cursor is at the beginning again: what comes next takes the place of what is there. */
  #isBack = false;

  print(text: string): void {
    const [first = '', ...others] = text.split('\r');
    this.#add(first);
    for (const part of others) {
      this.#isBack = true;
      this.#add(part);
    }
  }

  setStyle(sequence: string): void {
    this.#style = sequence;
    this.#text += sequence;
  }

  get text(): string {
    return this.#style === '' ? this.#text : this.#text + styleEnd;
  }

  #add(part: string): void {
    if (this.#isBack && part.trim() !== '') {
      this.#text = this.#style;
      this.#isBack = false;
    }
    this.#text += part.replaceAll(controls, ' ').replaceAll(directions, '');
  }
}

/** The same for text with line feeds. */
export function safeText(text: string, options: SafeOptions = {}): string {
  return text
    .split('\n')
    .map((line) => safeLine(line, options))
    .join('\n');
}

/** Where text of others goes. */
export interface PeopleOutput {
  /** Takes whole lines. */
  write(text: string): void;
  /** A line as it will be shown, for one that something else comes in front of. */
  line(text: string): string;
}

/** An output that gives terminals only what `safeText` leaves; files and programs get text as it is. */
export function safeOutput(
  output: Pick<Output, 'write' | 'isTTY'>,
  env: Readonly<Record<string, string | undefined>>,
): PeopleOutput {
  if (!output.isTTY) return { write: (text) => output.write(text), line: (text) => text };
  const options = { colors: !env['NO_COLOR'] && env['TERM'] !== 'dumb' };
  return {
    write: (text) => output.write(safeText(text, options)),
    line: (text) => safeLine(text, options),
  };
}
