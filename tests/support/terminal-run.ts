import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { resizeHeldPtys } from '#/kernel/pty.ts';
import { until } from './until.ts';
import { VirtualScreen } from './virtual-screen.ts';

const skiff = join(import.meta.dirname, '../../bin/skiff');

/** Size of a terminal in characters. */
interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** A run of skiff as people have it, in a terminal, which is util-linux's script. */
export class TerminalRun implements Disposable {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #exit: Promise<unknown[]>;
  readonly #size: Size;
  #output = '';

  /** `args` are words of a shell. */
  constructor(
    args: string,
    env: Readonly<Record<string, string>>,
    { columns, rows }: Size = { columns: 100, rows: 20 },
  ) {
    this.#size = { columns, rows };
    const line = `stty cols ${columns} rows ${rows}; exec ${skiff} ${args}`;
    this.#process = spawn('script', ['-qefc', line, '/dev/null'], {
      env: { ...process.env, TERM: 'xterm', LC_ALL: 'C.UTF-8', ...env },
    });
    this.#process.stdout.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    this.#exit = once(this.#process, 'close');
  }

  /** All that was written to it. */
  get output(): string {
    return this.#output.replaceAll('\r\n', '\n');
  }

  /** What is to be seen. */
  get screen(): string {
    const screen = new VirtualScreen(this.#size.columns, this.#size.rows);
    screen.write(this.output);
    return screen.text;
  }

  async shows(text: string): Promise<void> {
    await until(() => this.output.includes(text), { what: `"${text}" on the terminal` });
  }

  type(keys: string): void {
    this.#process.stdin.write(keys);
  }

  /** As when somebody pulls at the window. */
  resize({ columns, rows }: Size): void {
    resizeHeldPtys(this.#process.pid ?? 0, { width: columns, height: rows });
  }

  /** Ends it as when somebody closes the window. */
  close(): void {
    this.#process.kill('SIGKILL');
  }

  async exitCode(): Promise<unknown> {
    const [code] = await this.#exit;
    return code;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
