import { StringDecoder } from 'node:string_decoder';
import { ExitError, type Output, type TerminalInput } from '../command.ts';

const interrupted = 130;

/** Asks people for lines on a terminal. What they typed ahead counts for the next question. */
export class Prompt {
  readonly #stdin: TerminalInput;
  readonly #stdout: Output;
  readonly #decoder = new StringDecoder();
  #ahead = '';

  constructor(stdin: TerminalInput, stdout: Output) {
    this.#stdin = stdin;
    this.#stdout = stdout;
  }

  /** The answer without white space around it; empty if the input has ended. */
  async line(question: string): Promise<string> {
    this.#stdout.write(question);
    return (await this.#read(new LineEditor({ raw: false }))).trim();
  }

  /** The same for secrets: what is typed does not appear. Throws an ExitError if people give up with ctrl-c. */
  async hiddenLine(question: string): Promise<string> {
    // First, so that nobody can type before it.
    using _raw = hideInput(this.#stdin);
    this.#stdout.write(question);
    const answer = (await this.#read(new LineEditor({ raw: true }))).trim();
    this.#stdout.write('\n');
    return answer;
  }

  async #read(editor: LineEditor): Promise<string> {
    this.#ahead = editor.push(this.#ahead);
    while (editor.state === 'open') {
      const chunk = await nextChunk(this.#stdin);
      if (chunk === undefined) return editor.text;
      this.#ahead = editor.push(this.#decoder.write(chunk));
    }
    if (editor.state === 'interrupted') {
      this.#stdout.write('\n');
      throw new ExitError(interrupted);
    }
    return editor.text;
  }
}

/** Makes a line of what a terminal sends. In raw mode the terminal leaves it to us what its keys mean. */
class LineEditor {
  readonly #raw: boolean;
  text = '';
  state: 'open' | 'complete' | 'interrupted' = 'open';

  constructor({ raw }: { raw: boolean }) {
    this.#raw = raw;
  }

  /** Takes characters up to the end of the line; gives back those after it. */
  push(input: string): string {
    let rest = input;
    while (rest !== '' && this.state === 'open') {
      const char = String.fromCodePoint(rest.codePointAt(0) ?? 0);
      rest = rest.slice(char.length);
      if (char === '\n' || (char === '\r' && this.#raw)) this.state = 'complete';
      else if (this.#raw) this.#key(char);
      else this.text += char;
    }
    return rest;
  }

  #key(char: string): void {
    if (char === keys.interrupt) this.state = 'interrupted';
    else if (char === keys.end) this.state = this.text === '' ? 'complete' : 'open';
    else if (char === keys.clear) this.text = '';
    else if (char === keys.backspace || char === keys.delete) this.text = this.text.replace(/.$/su, '');
    else this.text += char;
  }
}

const keys = {
  interrupt: '\u0003',
  end: '\u0004',
  backspace: '\b',
  clear: '\u0015',
  delete: '\u007f',
} as const;

async function nextChunk(stdin: TerminalInput): Promise<Buffer | undefined> {
  if (stdin.readableEnded) return undefined;
  return new Promise((resolve, reject) => {
    const settle = (chunk: Buffer | undefined): void => {
      stdin.off('data', settle).off('end', ended).off('error', reject).pause();
      resolve(chunk);
    };
    const ended = (): void => settle(undefined);
    stdin.on('data', settle).once('end', ended).once('error', reject).resume();
  });
}

const fatalSignals = { SIGTERM: 143, SIGHUP: 129, SIGINT: interrupted } as const;

/** Turns the echo off until it is disposed, or the process ends by a signal. */
function hideInput(stdin: TerminalInput): Disposable {
  stdin.setRawMode?.(true);
  const restore = (): void => void stdin.setRawMode?.(false);
  const handlers = Object.entries(fatalSignals).map(([signal, code]) => {
    const handler = (): never => {
      restore();
      process.exit(code);
    };
    process.once(signal, handler);
    return { signal, handler };
  });
  return {
    [Symbol.dispose]() {
      restore();
      for (const { signal, handler } of handlers) process.off(signal, handler);
    },
  };
}
