import { write } from 'node:fs';
import { close } from '#/kernel/at.ts';
import { PipeReader } from '#/kernel/pipe-reader.ts';
import { type PtySize, resizePty } from '#/kernel/pty.ts';
import { duplicate } from '#/kernel/spawn.ts';
import { type OutputFrame, OutputQueue, type ProcessStreams } from './output-queue.ts';

/** Output that waits for its reader before the kernel, and then the process, has to wait. */
const maxQueuedBytes = 1 << 20;
/** What is taken in when the process has ended. */
const maxLastBytes = 2 << 20;
/** What a runtime says of why it failed. Bytes. */
const maxErrorBytes = 64 << 10;

/** The terminal of a process, whose other end the daemon holds. All output is stdout. */
export class PtySession implements ProcessStreams {
  readonly #input: number;
  readonly #reader: PipeReader;
  readonly #errors: PipeReader;
  readonly #queue: OutputQueue;
  #errorText = '';
  #open = true;
  #left = false;

  /** Takes over the master of the terminal, and the pipe that the runtime itself complains to. */
  constructor({ master, errors }: { master: number; errors: number }) {
    this.#input = duplicate(master);
    this.#reader = new PipeReader(master);
    this.#queue = new OutputQueue(() => this.#reader.resume());
    this.#reader.onData = (data) => {
      if (this.#left) return;
      this.#queue.push({ stream: 'stdout', data });
      if (this.#open && this.#queue.bytes >= maxQueuedBytes) this.#reader.pause();
    };
    this.#errors = new PipeReader(errors);
    this.#errors.onData = (data) => {
      if (this.#errorText.length < maxErrorBytes) this.#errorText += data.toString();
    };
  }

  output(): AsyncGenerator<readonly OutputFrame[], void, undefined> {
    return this.#queue.output();
  }

  write(data: Uint8Array): Promise<boolean> {
    if (!this.#open) return Promise.resolve(false);
    return new Promise((resolve) => {
      write(this.#input, data, (error) => resolve(error === null));
    });
  }

  /** What a terminal has for that: the end-of-file character. */
  closeStdin(): Promise<boolean> {
    return this.write(Buffer.of(4));
  }

  /** See `RuntimeStreams.resize`. */
  resize(size: PtySize): void {
    if (this.#open) resizePty(this.#input, size);
  }

  /** See `PipeSession.finish`. */
  finish(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const reader of [this.#reader, this.#errors]) {
      reader.drain(maxLastBytes);
      reader.close();
    }
    close(this.#input);
    this.#queue.end();
  }

  /** See `PipeSession.takeErrors`. */
  takeErrors(): string {
    return this.#errorText;
  }

  [Symbol.dispose](): void {
    this.#left = true;
    this.#queue.end();
    this.#queue.take();
    this.#reader.resume();
  }
}
