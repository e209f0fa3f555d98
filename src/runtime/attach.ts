import { isSystemError } from '#/base/errors.ts';
import { watchProcess } from '#/kernel/pidfd.ts';
import { SeqpacketSocket } from '#/kernel/seqpacket.ts';
import type { ProcessRef } from './exit-watcher.ts';
import { type OutputFrame, OutputQueue, type ProcessStreams } from './output-queue.ts';

/** First byte of each packet of conmon (stdpipe_t). */
const stderrPipe = 3;
/** conmon reads at most 32767 bytes of stdin at a time and drops the rest of a longer packet. */
const stdinChunk = 16384;
/** Output that waits for its reader before the kernel, and then the process, has to wait. */
const maxQueuedBytes = 1 << 20;
/**
 * What may still come when the process has ended: what was on its way (pipes, sockets), and no more, unless another
 * process writes to the same pipe.
 */
const maxLastBytes = 4 << 20;

/**
 * A connection to the output and input of a process under conmon. Any number may be open at once, each gets all output
 * from its opening on.
 *
 * Back-pressure is real: who does not read stops the process (conmon writes to each client in turn and waits), with at
 * most 1 MiB held here. It also keeps conmon from noting the exit: see `follow`.
 *
 * Closing one closes the process's stdin unless the monitor was told to leave it open; so does `closeStdin`.
 */
export class AttachSession implements ProcessStreams {
  readonly #socket: SeqpacketSocket;
  readonly #queue = new OutputQueue(() => this.#unpause());
  #paused = false;
  #last = false;
  #watch: Disposable | undefined;
  #ended = false;
  #inputClosed = false;
  #wakeWriters: (() => void)[] = [];
  #stdin: Promise<boolean> = Promise.resolve(true);

  constructor(socket: SeqpacketSocket) {
    this.#socket = socket;
    socket.onPacket = (packet) => this.#receive(packet);
    socket.onClose = (error) => this.#end(error);
    socket.onDrain = () => this.#drained();
  }

  /** Connects to the socket `attach` in the folder of a container or exec session. ENOENT, ECONNREFUSED: it has ended. */
  static connect(path: string): AttachSession {
    return new AttachSession(SeqpacketSocket.connect(path));
  }

  /**
   * Watches the process whose output this is. When it has ended what is left of its output is taken in without waiting
   * for the reader: otherwise one that does not read would keep conmon from noting the exit, for as long as it likes.
   */
  follow(process: ProcessRef): void {
    const watch = watchProcess(process, () => {
      this.#last = true;
      this.#unpause();
    });
    if (this.#ended) watch[Symbol.dispose]();
    else this.#watch = watch;
  }

  output(): AsyncGenerator<readonly OutputFrame[], void, undefined> {
    return this.#queue.output();
  }

  write(data: Uint8Array): Promise<boolean> {
    this.#stdin = this.#stdin.then((open) => (open ? this.#send(data) : false));
    return this.#stdin;
  }

  /** Ends the input after what was written, if the monitor was not told to leave stdin open. Output goes on. */
  closeStdin(): Promise<boolean> {
    this.#stdin = this.#stdin.then(() => {
      if (!this.#ended) this.#socket.shutdownWrite();
      return false;
    });
    return this.#stdin;
  }

  /** Leaves. Output that was not read is lost to this session only. */
  [Symbol.dispose](): void {
    this.#socket.close();
    this.#end();
  }

  #receive(packet: Buffer): void {
    if (packet.length < 2) return;
    this.#queue.push({ stream: packet[0] === stderrPipe ? 'stderr' : 'stdout', data: packet.subarray(1) });
    if (this.#last) {
      if (this.#queue.bytes >= maxLastBytes) this[Symbol.dispose]();
    } else if (this.#queue.bytes >= maxQueuedBytes && !this.#paused) {
      this.#paused = true;
      this.#socket.pause();
    }
  }

  #unpause(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  #end(error?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#watch?.[Symbol.dispose]();
    this.#queue.end(error);
    this.#drained();
  }

  #drained(): void {
    const writers = this.#wakeWriters;
    this.#wakeWriters = [];
    for (const wake of writers) wake();
  }

  async #send(data: Uint8Array): Promise<boolean> {
    for (let offset = 0; offset < data.length; offset += stdinChunk) {
      const chunk = data.subarray(offset, offset + stdinChunk);
      while (!this.#trySend(chunk)) {
        if (this.#ended || this.#inputClosed) return false;
        await new Promise<void>((resolve) => {
          this.#wakeWriters.push(resolve);
        });
      }
    }
    return true;
  }

  #trySend(chunk: Uint8Array): boolean {
    if (this.#ended) return false;
    try {
      return this.#socket.send(chunk);
    } catch (error) {
      if (!isSystemError(error, 'EPIPE', 'ECONNRESET', 'ENOTCONN')) throw error;
      // Only this direction is known to be over: output may still come.
      this.#inputClosed = true;
      return false;
    }
  }
}
