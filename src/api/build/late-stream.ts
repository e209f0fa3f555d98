import { Duplex } from 'node:stream';

/** A stream that will be there later: what is written until then waits, and what fails meanwhile ends it. */
export function lateStream(coming: Promise<Duplex>): Duplex {
  return new LateStream(coming);
}

class LateStream extends Duplex {
  readonly #coming: Promise<Duplex>;
  #inner: Duplex | undefined;

  constructor(coming: Promise<Duplex>) {
    super({ allowHalfOpen: true });
    this.#coming = coming;
  }

  override _construct(done: (error?: Error | null) => void): void {
    void this.#join(done);
  }

  async #join(done: (error?: Error | null) => void): Promise<void> {
    try {
      const inner = await this.#coming;
      this.#inner = inner;
      inner.on('data', (chunk: Buffer) => {
        if (!this.push(chunk)) inner.pause();
      });
      inner.once('end', () => this.push(null));
      inner.once('error', (error) => this.destroy(error));
      inner.once('close', () => this.destroy());
      inner.pause();
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    done();
  }

  override _read(): void {
    this.#inner?.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#inner?.write(chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#inner?.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#inner?.destroy();
    done(error);
  }
}
