import { type FileHandle, open } from 'node:fs/promises';

/**
 * Brings what SQLite has committed to the disk, without keeping the thread that serves waiting: in WAL mode with
 * `synchronous = NORMAL` a commit is written to the log of writes but not flushed (sqlite.org/wal.html). All who wait
 * at the same time share one flush.
 */
export class WriteLog implements AsyncDisposable {
  readonly #path: string;
  #file: FileHandle | undefined;
  #running: Promise<void> = Promise.resolve();
  #queued: Promise<void> | undefined;

  /** `database` is the path of the database, which is open. */
  constructor(database: string) {
    this.#path = `${database}-wal`;
  }

  /** Resolves when everything that was committed before the call survives a power cut. */
  flush(): Promise<void> {
    this.#queued ??= this.#afterRunning();
    return this.#queued;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queued?.catch(() => undefined);
    await this.#running.catch(() => undefined);
    await this.#file?.close();
  }

  /** A flush that is under way may have begun before the commit: only the next one counts. */
  async #afterRunning(): Promise<void> {
    // Whoever waits for that one hears of its failure.
    await this.#running.catch(() => undefined);
    this.#queued = undefined;
    this.#running = this.#sync();
    await this.#running;
  }

  async #sync(): Promise<void> {
    this.#file ??= await open(this.#path, 'r+');
    await this.#file.datasync();
  }
}
