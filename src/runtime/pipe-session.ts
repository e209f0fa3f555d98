import { Socket } from 'node:net';
import { PipeReader } from '#/kernel/pipe-reader.ts';
import { type OutputFrame, OutputQueue, type ProcessStreams } from './output-queue.ts';

/** Our ends of the pipes of a process. */
export interface StdioPipes {
  /** undefined: it has no input. */
  readonly stdin: number | undefined;
  readonly stdout: number;
  readonly stderr: number;
}

/** Output that waits for its reader before the kernel, and then the process, has to wait. */
const maxQueuedBytes = 1 << 20;
/**
 * What is taken in of each stream when the process has ended: what was in the pipe, and no more, as another process may
 * still write to it.
 */
const maxLastBytes = 2 << 20;

/**
 * The streams of a process whose pipes the daemon holds itself. Back-pressure is real: who does not read stops the
 * process, with at most 1 MiB held here. Once disposed of, its input is closed and its output is read and dropped.
 */
export class PipeSession implements ProcessStreams {
  readonly #readers: readonly PipeReader[];
  readonly #queue: OutputQueue;
  readonly #stdin: Socket | undefined;
  #left = false;
  #last = false;

  /** Takes over the descriptors. */
  constructor({ stdin, stdout, stderr }: StdioPipes) {
    this.#readers = [this.#reader(stdout, 'stdout'), this.#reader(stderr, 'stderr')];
    this.#queue = new OutputQueue(() => this.#resume());
    this.#stdin =
      stdin === undefined ? undefined : new Socket({ fd: stdin, readable: false, writable: true });
    // That the process reads no more is told by the writes.
    this.#stdin?.on('error', () => {});
  }

  output(): AsyncGenerator<readonly OutputFrame[], void, undefined> {
    return this.#queue.output();
  }

  write(data: Uint8Array): Promise<boolean> {
    const stdin = this.#stdin;
    if (stdin === undefined || !stdin.writable) return Promise.resolve(false);
    return new Promise((resolve) => {
      // Called with an error, too, when the socket is destroyed.
      stdin.write(data, (error) => resolve(error === null || error === undefined));
    });
  }

  closeStdin(): Promise<boolean> {
    this.#stdin?.end();
    return Promise.resolve(false);
  }

  /** The process has ended: what it has left in the pipes is the last of its output. Repeating it is fine. */
  finish(): void {
    this.#last = true;
    for (const reader of this.#readers) {
      reader.drain(maxLastBytes);
      reader.close();
    }
    this.#stdin?.destroy();
    this.#queue.end();
  }

  /** Takes what has come on stderr, as text. */
  takeErrors(): string {
    return this.#queue
      .take()
      .filter(({ stream }) => stream === 'stderr')
      .map(({ data }) => data.toString())
      .join('');
  }

  [Symbol.dispose](): void {
    this.#left = true;
    this.#queue.end();
    this.#queue.take();
    this.#stdin?.destroy();
    this.#resume();
  }

  #reader(fd: number, stream: OutputFrame['stream']): PipeReader {
    const reader = new PipeReader(fd);
    reader.onData = (data) => {
      if (this.#left) return;
      this.#queue.push({ stream, data });
      if (!this.#last && this.#queue.bytes >= maxQueuedBytes) for (const each of this.#readers) each.pause();
    };
    return reader;
  }

  #resume(): void {
    for (const reader of this.#readers) reader.resume();
  }
}
