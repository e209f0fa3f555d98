import { isMainThread } from 'node:worker_threads';
import { systemError } from './errno.ts';
import { type Address, allocate, bindLibrary, registerCallback, release } from './libc.ts';

/** What to wait for, or what has come. */
export interface PollEvents {
  readonly readable: boolean;
  readonly writable: boolean;
}

/** A watched descriptor. While it waits for something it keeps the process alive, unless `unref` was called. */
export interface FdWatch extends Disposable {
  /** Changes what to wait for. Waiting for nothing is allowed. */
  update(interest: PollEvents): void;
  ref(): void;
  unref(): void;
}

interface Uv {
  uv_close(handle: Address, callback: Address): void;
  uv_default_loop(): Address;
  uv_handle_size(type: number): number;
  uv_poll_init(loop: Address, handle: Address, fd: number): number;
  uv_poll_start(handle: Address, events: number, callback: Address): number;
  uv_poll_stop(handle: Address): number;
  uv_ref(handle: Address): void;
  uv_unref(handle: Address): void;
}

const uv: Uv = bindLibrary<Uv>(null, {
  uv_close: 'void uv_close(void *, void *)',
  uv_default_loop: 'void *uv_default_loop()',
  uv_handle_size: 'size_t uv_handle_size(int)',
  uv_poll_init: 'int uv_poll_init(void *, void *, int)',
  uv_poll_start: 'int uv_poll_start(void *, int, void *)',
  uv_poll_stop: 'int uv_poll_stop(void *)',
  uv_ref: 'void uv_ref(void *)',
  uv_unref: 'void uv_unref(void *)',
});

const UV_POLL = 8;
const UV_READABLE = 1;
const UV_WRITABLE = 2;

/**
 * Watches `fd` on Node's own event loop: `callback` runs (from setImmediate, so that promises and exceptions behave as
 * everywhere) while an event of `interest` is there; read until EAGAIN or be called again. An error on the descriptor
 * is reported as every event of the interest: the next system call tells what it is. The descriptor becomes
 * non-blocking. Dispose of the watch before you close the descriptor. Throws EEXIST when somebody watches it already,
 * EPERM for what cannot be polled (plain files). Main thread only.
 */
export function watchFd(fd: number, interest: PollEvents, callback: (events: PollEvents) => void): FdWatch {
  if (!isMainThread) throw new Error('watchFd works on the main thread only');
  return new PollWatch(fd, interest, callback);
}

/** Live watches by the address of their uv_poll_t. */
const watches = new Map<Address, PollWatch>();

interface Shared {
  readonly loop: Address;
  readonly onPoll: Address;
  readonly onClose: Address;
}

let shared: Shared | undefined;

/** Two callbacks serve all handles: koffi has a limited number of slots, and these are never given back. */
function sharedState(): Shared {
  if (shared !== undefined) return shared;
  shared = {
    loop: uv.uv_default_loop(),
    onPoll: registerCallback(
      'void SkiffPollCallback(void *, int, int)',
      (handle: Address, status: number, events: number) => watches.get(handle)?.notice(status, events),
    ),
    // Only now has libuv let go of the memory.
    onClose: registerCallback('void SkiffCloseCallback(void *)', (handle: Address) => release(handle)),
  };
  // While Node takes itself apart it may run the loop once more, when callbacks cannot reach JavaScript any longer.
  process.once('exit', () => {
    for (const handle of watches.keys()) uv.uv_poll_stop(handle);
  });
  return shared;
}

class PollWatch implements FdWatch {
  readonly #callback: (events: PollEvents) => void;
  readonly #handle: Address;
  readonly #fd: number;
  #interest: number;
  #noticed = 0;
  #stopped = false;
  #scheduled: NodeJS.Immediate | undefined;
  #closed = false;

  constructor(fd: number, interest: PollEvents, callback: (events: PollEvents) => void) {
    const { loop } = sharedState();
    this.#callback = callback;
    this.#fd = fd;
    this.#interest = maskOf(interest);
    this.#handle = allocate(uv.uv_handle_size(UV_POLL));
    const result = uv.uv_poll_init(loop, this.#handle, fd);
    if (result < 0) {
      release(this.#handle);
      throw systemError('uv_poll_init', -result);
    }
    watches.set(this.#handle, this);
    this.#start();
  }

  update(interest: PollEvents): void {
    if (this.#closed) throw new Error(`the watch of descriptor ${this.#fd} is closed`);
    const mask = maskOf(interest);
    if (mask === this.#interest) return;
    this.#interest = mask;
    this.#start();
  }

  ref(): void {
    if (!this.#closed) uv.uv_ref(this.#handle);
  }

  unref(): void {
    if (!this.#closed) uv.uv_unref(this.#handle);
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#scheduled !== undefined) clearImmediate(this.#scheduled);
    watches.delete(this.#handle);
    uv.uv_close(this.#handle, sharedState().onClose);
  }

  /** Called by libuv: only takes a note. */
  notice(status: number, events: number): void {
    // libuv stops a handle whose descriptor has an error.
    if (status < 0) this.#stopped = true;
    this.#noticed |= status < 0 ? this.#interest : events;
    this.#scheduled ??= setImmediate(() => this.#deliver());
  }

  #deliver(): void {
    this.#scheduled = undefined;
    const events = this.#noticed & this.#interest;
    this.#noticed = 0;
    try {
      if (events !== 0) {
        this.#callback({ readable: (events & UV_READABLE) !== 0, writable: (events & UV_WRITABLE) !== 0 });
      }
    } finally {
      if (this.#stopped && !this.#closed) this.#start();
    }
  }

  #start(): void {
    this.#stopped = false;
    const result = uv.uv_poll_start(this.#handle, this.#interest, sharedState().onPoll);
    if (result < 0) throw systemError('uv_poll_start', -result);
  }
}

function maskOf(interest: PollEvents): number {
  return (interest.readable ? UV_READABLE : 0) | (interest.writable ? UV_WRITABLE : 0);
}
