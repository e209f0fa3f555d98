import { Duplex } from 'node:stream';

/** A part of the bytes in a tunnel. */
export interface Piece {
  readonly data: Uint8Array;
}

/** A connection that is carried in the messages of a call. */
export class Tunnel extends Duplex {
  readonly #incoming: AsyncIterator<Piece>;
  /** What was written and waits to be taken by the call. */
  #waiting: { readonly piece: Piece; readonly taken: () => void } | undefined;
  #isOver = false;
  #wake: () => void = () => {};

  constructor(incoming: AsyncIterable<Piece>) {
    super();
    this.#incoming = incoming[Symbol.asyncIterator]();
    // Whoever uses the connection hears of it by `close`.
    this.on('error', () => {});
  }

  /** What is written to the connection, until it is closed. */
  async *outgoing(): AsyncGenerator<Piece> {
    for (;;) {
      const waiting = this.#waiting;
      if (waiting !== undefined) {
        this.#waiting = undefined;
        yield waiting.piece;
        waiting.taken();
      } else if (this.#isOver) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }

  override _read(): void {
    this.#incoming.next().then(
      ({ value, done }) => {
        if (done === true) this.push(null);
        else if (value.data.length === 0) this._read();
        else this.push(value.data);
      },
      (error: Error) => this.destroy(error),
    );
  }

  override _write(data: Buffer, _encoding: BufferEncoding, taken: () => void): void {
    this.#waiting = { piece: { data }, taken };
    this.#wake();
  }

  override _final(done: () => void): void {
    this.#end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#end();
    done(error);
  }

  #end(): void {
    this.#isOver = true;
    this.#wake();
  }
}
