import { fstatSync, writeSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { isSystemError } from '#/base/errors.ts';
import type { Output } from './command.ts';

/** Exit code of a program that SIGPIPE ended. */
const brokenPipe = 141;
/** How long to wait for a reader that is behind, before the next attempt. Milliseconds. */
const pause = 5;

type RuntimeStream = Writable & { readonly columns?: number; readonly rows?: number };

/**
 * Standard output or error by its file descriptor. The runtime's own stream takes as long to make as a short command
 * takes to run, so only what needs a stream makes it.
 */
export class DescriptorOutput implements Output {
  readonly #descriptor: 1 | 2;
  #stream: RuntimeStream | undefined;

  constructor(descriptor: 1 | 2) {
    this.#descriptor = descriptor;
  }

  get isTTY(): boolean {
    // Loading node:tty costs a good part of a short command, so files and pipes are told apart without it.
    return (
      fstatSync(this.#descriptor).isCharacterDevice() &&
      process.getBuiltinModule('node:tty').isatty(this.#descriptor)
    );
  }

  get columns(): number {
    return this.isTTY ? (this.#made().columns ?? 0) : 0;
  }

  get rows(): number {
    return this.isTTY ? (this.#made().rows ?? 0) : 0;
  }

  get stream(): Writable {
    return this.#made();
  }

  write(text: string): void {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) at += this.#writeSome(bytes.subarray(at));
  }

  /** Settles when all that was written to the stream is out. */
  async flush(): Promise<void> {
    const stream = this.#stream;
    if (stream !== undefined) await new Promise((resolve) => stream.write('', resolve));
  }

  #writeSome(bytes: Buffer): number {
    try {
      return writeSync(this.#descriptor, bytes);
    } catch (error) {
      if (isSystemError(error, 'EPIPE')) process.exit(brokenPipe);
      if (!isSystemError(error, 'EAGAIN')) throw error;
      // Somebody who shares the descriptor made it non-blocking.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pause);
      return 0;
    }
  }

  #made(): RuntimeStream {
    if (this.#stream === undefined) {
      const stream = this.#descriptor === 1 ? process.stdout : process.stderr;
      stream.on('error', (error: Error) => {
        // The reader has gone away, as in `skiff logs x | head -1`.
        if (isSystemError(error, 'EPIPE')) process.exit(brokenPipe);
        throw error;
      });
      this.#stream = stream;
    }
    return this.#stream;
  }
}
