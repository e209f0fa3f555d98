/** A piece of a process's output, as it wrote it. With a terminal all is stdout. */
export interface OutputFrame {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Buffer;
}

/** The standard streams of a process, from somebody's point of view. Dispose of it to leave; the process goes on. */
export interface ProcessStreams extends Disposable {
  /**
   * The output, as one list of frames for each time that the reader comes back. Ends with the process. Only one reader;
   * leaving the loop does not close the streams.
   */
  output(): AsyncGenerator<readonly OutputFrame[], void, undefined>;
  /**
   * Sends input; resolves when the kernel has taken all of it, which may wait for the process to read. False: the
   * process (or its stdin) is gone.
   */
  write(data: Uint8Array): Promise<boolean>;
  /** Ends the input after what was written. Output goes on. */
  closeStdin(): Promise<boolean>;
}

/** Output that waits for its one reader. */
export class OutputQueue {
  readonly #onTaken: () => void;
  #frames: OutputFrame[] = [];
  #bytes = 0;
  #ended = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  /** `onTaken` is called when the reader has taken what waited. */
  constructor(onTaken: () => void) {
    this.#onTaken = onTaken;
  }

  /** How many bytes wait. */
  get bytes(): number {
    return this.#bytes;
  }

  push(frame: OutputFrame): void {
    if (this.#ended) return;
    this.#frames.push(frame);
    this.#bytes += frame.data.length;
    this.#notify();
  }

  /** Nothing more will come; with an error the reader gets that after what waits. Repeating it is fine. */
  end(error?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = error;
    this.#notify();
  }

  /** All that waits now. */
  take(): readonly OutputFrame[] {
    const frames = this.#frames;
    this.#frames = [];
    this.#bytes = 0;
    return frames;
  }

  /** See `ProcessStreams.output`. */
  async *output(): AsyncGenerator<readonly OutputFrame[], void, undefined> {
    for (;;) {
      if (this.#frames.length > 0) {
        const frames = this.take();
        this.#onTaken();
        yield frames;
      } else if (this.#failure !== undefined) {
        throw this.#failure;
      } else if (this.#ended) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
