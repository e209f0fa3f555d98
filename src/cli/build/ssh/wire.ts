/** The data types of the SSH protocol (RFC 4251, section 5). */

/** Reads fields one after the other. Its methods throw an Error if there is less than they need. */
export class SshReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  uint32(): number {
    return this.#take(4).readUInt32BE();
  }

  /** A length, and as many bytes. */
  string(): Buffer {
    return this.#take(this.uint32());
  }

  text(): string {
    return this.string().toString();
  }

  /** A number that is not negative, without zeros in front. Throws an Error for a negative one. */
  unsigned(): Buffer {
    const bytes = this.string();
    if (((bytes[0] ?? 0) & 0x80) !== 0) throw new Error('a number is negative');
    const first = bytes.findIndex((byte) => byte !== 0);
    return first < 0 ? Buffer.alloc(0) : bytes.subarray(first);
  }

  /** All that is left. */
  rest(): Buffer {
    return this.#take(this.#bytes.length - this.#at);
  }

  #take(size: number): Buffer {
    if (size > this.#bytes.length - this.#at) throw new Error('it ends too early');
    this.#at += size;
    return this.#bytes.subarray(this.#at - size, this.#at);
  }
}

/** 32 bits, big-endian. */
export function sshUint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A `string`: the length, and the bytes. */
export function sshString(value: Uint8Array | string): Buffer {
  const bytes = Buffer.from(value as Uint8Array);
  return Buffer.concat([sshUint32(bytes.length), bytes]);
}

/** An `mpint` of a number that is not negative, big-endian. */
export function sshUnsigned(value: Uint8Array): Buffer {
  const first = value.findIndex((byte) => byte !== 0);
  const digits = first < 0 ? new Uint8Array() : value.subarray(first);
  const needsZero = ((digits[0] ?? 0) & 0x80) !== 0;
  return sshString(needsZero ? Buffer.concat([Buffer.alloc(1), digits]) : digits);
}
