import { constants as os } from 'node:os';
import { AT_FDCWD, close, O_PATH, openat2 } from './at.ts';
import { check, systemError, uninterrupted } from './errno.ts';
import { cstring, errno, libc } from './libc.ts';
import { type FdWatch, watchFd } from './poll.ts';

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_FLAGS = 0o2004000; // SOCK_CLOEXEC | SOCK_NONBLOCK
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_TRUNC = 0x20;
const SHUT_WR = 1;

/** What fits sockaddr_un with its terminating NUL. */
const pathLimit = 107;
/** The longest packet that is taken; conmon's have at most 8193 bytes. */
const packetLimit = 65536;
/** Packets for each turn of the event loop, so that one busy socket does not starve the others. */
const packetsPerTurn = 32;

/** Packets are received here and copied out at once. */
const inbox = Buffer.allocUnsafeSlow(packetLimit);

/**
 * A connected AF_UNIX socket of packets (SOCK_SEQPACKET): what is sent as one arrives as one. Set the handlers before
 * the next turn of the event loop. Main thread only. A packet of no bytes cannot be told from the end.
 */
export class SeqpacketSocket implements Disposable {
  /** A packet has arrived. */
  onPacket: (data: Buffer) => void = () => {};
  /** The other side has gone (with the error, if it broke) and the socket is closed; not called after `close`. */
  onClose: (error?: Error) => void = () => {};
  /** A send that returned false may be tried again. */
  onDrain: () => void = () => {};

  readonly #fd: number;
  readonly #watch: FdWatch;
  #paused = false;
  #blocked = false;
  #closed = false;

  /** Takes over a connected SOCK_SEQPACKET descriptor. */
  constructor(fd: number) {
    this.#fd = fd;
    this.#watch = watchFd(fd, { readable: true, writable: false }, (events) => {
      if (events.writable && this.#blocked) this.#drained();
      if (events.readable) this.#receive();
    });
  }

  /** Connects to the socket at `path`, of any length; ECONNREFUSED when nobody listens, EAGAIN when the queue is full. */
  static connect(path: string): SeqpacketSocket {
    const fd = check(libc.socket(AF_UNIX, SOCK_SEQPACKET | SOCK_FLAGS, 0), 'socket');
    try {
      connectTo(fd, path);
      return new SeqpacketSocket(fd);
    } catch (error) {
      close(fd);
      throw error;
    }
  }

  /** Two sockets that are connected to each other. */
  static pair(): [SeqpacketSocket, SeqpacketSocket] {
    const fds = new Int32Array(2);
    const raw = new Uint8Array(fds.buffer);
    check(libc.socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_FLAGS, 0, raw), 'socketpair');
    const [a = -1, b = -1] = fds;
    return [new SeqpacketSocket(a), new SeqpacketSocket(b)];
  }

  /**
   * Sends one packet. False: the queue is full and nothing was sent; wait for `onDrain`. Throws EPIPE or ECONNRESET
   * when the other side has gone (`onClose` follows), EMSGSIZE when the packet is larger than the send buffer.
   */
  send(data: Uint8Array): boolean {
    if (this.#closed) throw systemError('send', os.errno.EPIPE);
    if (data.length === 0) throw new RangeError('an empty packet would look like the end');
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    if (uninterrupted(() => libc.send(this.#fd, data, data.length, flags)) >= 0) return true;
    const error = errno();
    if (error !== os.errno.EAGAIN) throw systemError('send', error);
    this.#blocked = true;
    this.#updateInterest();
    return false;
  }

  /** Leaves packets in the kernel, whose buffer fills up and stops the sender. */
  pause(): void {
    this.#paused = true;
    this.#updateInterest();
  }

  /** Goes on after `pause`. */
  resume(): void {
    this.#paused = false;
    this.#updateInterest();
  }

  /** Tells the other side that nothing more will be sent. */
  shutdownWrite(): void {
    if (!this.#closed && libc.shutdown(this.#fd, SHUT_WR) < 0) {
      const error = errno();
      if (error !== os.errno.ENOTCONN) throw systemError('shutdown', error);
    }
  }

  /** Closes at once. Unread packets are lost. Repeating it is fine. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch[Symbol.dispose]();
    close(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #updateInterest(): void {
    if (!this.#closed) this.#watch.update({ readable: !this.#paused, writable: this.#blocked });
  }

  #drained(): void {
    this.#blocked = false;
    this.#updateInterest();
    this.onDrain();
  }

  #receive(): void {
    for (let count = 0; count < packetsPerTurn && !this.#paused && !this.#closed; count++) {
      const flags = MSG_DONTWAIT | MSG_TRUNC;
      const length = uninterrupted(() => libc.recv(this.#fd, inbox, inbox.length, flags));
      if (length > inbox.length) {
        this.#end(new RangeError(`received a packet of ${length} bytes, more than ${packetLimit}`));
      } else if (length > 0) {
        this.onPacket(Buffer.from(inbox.subarray(0, length)));
      } else if (length === 0) {
        this.#end();
      } else {
        const error = errno();
        if (error === os.errno.EAGAIN) return;
        // The other side closed with packets of ours unread. What it had sent before still follows, then the end.
        if (error !== os.errno.ECONNRESET) this.#end(systemError('recv', error));
      }
    }
  }

  #end(error?: Error): void {
    this.close();
    this.onClose(error);
  }
}

function connectTo(fd: number, path: string): void {
  if (Buffer.byteLength(path) <= pathLimit) {
    connectShort(fd, path, path);
    return;
  }
  const place = openat2(AT_FDCWD, path, { flags: O_PATH });
  try {
    connectShort(fd, `/proc/self/fd/${place}`, path);
  } finally {
    close(place);
  }
}

function connectShort(fd: number, path: string, shown: string): void {
  const name = cstring(path);
  const address = Buffer.alloc(2 + name.length); // struct sockaddr_un {u16 family; char path[108]}
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  check(
    uninterrupted(() => libc.connect(fd, address, address.length)),
    'connect',
    shown,
  );
}
