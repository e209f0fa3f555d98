import { Worker } from 'node:worker_threads';
import { unavailable } from '#/base/errors.ts';
import { siblingModule } from '#/base/sibling-module.ts';

/** Passwords that may wait to be checked; at bcrypt's usual cost the last of them waits for some seconds. */
const maxWaiting = 64;

interface Waiting {
  readonly resolve: (matches: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/** Compares passwords with bcrypt hashes in a thread of its own, which is started when it is first needed. */
export class BcryptThread implements AsyncDisposable {
  #worker: Worker | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;

  /** Whether the password is the hash's. Throws `unavailable` if too many wait already. */
  async compare(password: string, hash: string): Promise<boolean> {
    if (this.#waiting.size >= maxWaiting)
      throw unavailable('too many passwords wait to be checked; try again');
    const worker = (this.#worker ??= this.#start());
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const id = (this.#last += 1);
    this.#waiting.set(id, { resolve, reject });
    worker.ref();
    worker.postMessage({ id, password, hash });
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
    this.#fail(unavailable('the registry stops'));
  }

  #start(): Worker {
    const worker = new Worker(siblingModule('bcrypt-worker', import.meta.url));
    worker.on('message', ({ id, matches }: { id: number; matches: boolean }) => {
      this.#waiting.get(id)?.resolve(matches);
      this.#waiting.delete(id);
      // The process can end while nobody waits.
      if (this.#waiting.size === 0) worker.unref();
    });
    worker.on('error', (error) => {
      if (this.#worker === worker) this.#worker = undefined;
      this.#fail(error);
    });
    return worker;
  }

  #fail(error: unknown): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
