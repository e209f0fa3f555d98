import { createHash } from 'node:crypto';
import { Duplex } from 'node:stream';
import { invalid } from '#/base/errors.ts';
import type { Call } from './call.ts';
import { takeConnection } from './hijack.ts';

/**
 * The server side of WebSocket (RFC 6455), as much of it as attaching needs: data frames carry a byte stream, pings are
 * answered, fragments and message borders mean nothing.
 */

const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
/** Section 5.5. */
const maxControlLength = 125;
/** Two bytes, eight of length, four of mask. */
const longestHeader = 14;

/** The key of an opening handshake. Throws `invalid` if the request is not one. */
export function webSocketKey(call: Call): string {
  const { headers } = call.request;
  const key = headers['sec-websocket-key'];
  if (call.upgraded === undefined || headers.upgrade?.toLowerCase() !== 'websocket' || key === undefined) {
    throw invalid('not websocket protocol');
  }
  if (headers['sec-websocket-version'] !== '13') throw invalid('missing or bad WebSocket Version');
  return key;
}

/** Answers the opening handshake and takes the connection. */
export function acceptWebSocket(call: Call, key: string): Duplex {
  const connection = takeConnection(call);
  // Section 4.2.2: the constant is part of the protocol.
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  connection.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  const stream = new WebSocketStream(connection);
  // A client that breaks the connection or the protocol hangs up like any other: `close` follows and aborts the call.
  stream.on('error', () => stream.destroy());
  return stream;
}

/** Bytes to and from a WebSocket client. */
class WebSocketStream extends Duplex {
  readonly #connection: Duplex;
  readonly #decoder: ClientFrames;
  #inputEnded = false;

  constructor(connection: Duplex) {
    super();
    this.#connection = connection;
    this.#decoder = new ClientFrames();
    connection.on('data', (chunk: Buffer) => this.#receive(chunk));
    connection.on('end', () => this.#endInput());
    connection.on('close', () => this.destroy());
    connection.on('error', (error) => this.destroy(error));
  }

  override _read(): void {
    this.#connection.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#connection.write(serverHeader(opcodes.binary, chunk.length));
    this.#connection.write(chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    // 1000: the purpose is fulfilled.
    this.#connection.end(Buffer.concat([serverHeader(opcodes.close, 2), Buffer.from([0x03, 0xe8])]), () =>
      done(),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#connection.destroy();
    done(error);
  }

  #endInput(): void {
    if (!this.#inputEnded) this.push(null);
    this.#inputEnded = true;
  }

  #receive(chunk: Buffer): void {
    try {
      for (const { kind, data } of this.#decoder.push(chunk)) {
        if (kind === 'data' && !this.push(data)) this.#connection.pause();
        if (kind === 'ping')
          this.#connection.write(Buffer.concat([serverHeader(opcodes.pong, data.length), data]));
        if (kind === 'close') this.#endInput();
      }
    } catch (error) {
      this.destroy(error instanceof Error ? error : undefined);
    }
  }
}

function serverHeader(opcode: number, length: number): Buffer {
  if (length < 126) return Buffer.from([0x80 | opcode, length]);
  const long = length > 0xffff;
  const header = Buffer.alloc(long ? 10 : 4);
  header[0] = 0x80 | opcode;
  header[1] = long ? 127 : 126;
  if (long) header.writeBigUInt64BE(BigInt(length), 2);
  else header.writeUInt16BE(length, 2);
  return header;
}

/** Something that a client sent. */
interface ClientPart {
  readonly kind: 'data' | 'ping' | 'close';
  readonly data: Buffer;
}

/** Takes a client's frames apart. Data is handed on as it comes, so a frame of any length costs no memory. */
export class ClientFrames {
  #header: Buffer = Buffer.alloc(0);
  #opcode = 0;
  #mask = Buffer.alloc(4);
  #offset = 0;
  #left = 0n;
  #control: Buffer[] = [];
  #closed = false;

  /** The parts in `chunk`; unmasks in place. Throws a SyntaxError if the client breaks the protocol. */
  *push(chunk: Buffer): Generator<ClientPart, void, undefined> {
    let rest = chunk;
    while (rest.length > 0 && !this.#closed) {
      if (this.#left === 0n) {
        rest = this.#readHeader(rest);
        if (this.#left === 0n && this.#header.length === 0 && this.#opcode >= 8) yield* this.#endControl();
        continue;
      }
      const data = rest.subarray(
        0,
        Number(this.#left < BigInt(rest.length) ? this.#left : BigInt(rest.length)),
      );
      rest = rest.subarray(data.length);
      this.#left -= BigInt(data.length);
      for (let i = 0; i < data.length; i += 1) {
        data[i] = (data[i] ?? 0) ^ (this.#mask[(this.#offset + i) & 3] ?? 0);
      }
      this.#offset = (this.#offset + data.length) & 3;
      if (this.#opcode < 8) yield { kind: 'data', data };
      else {
        this.#control.push(Buffer.from(data));
        if (this.#left === 0n) yield* this.#endControl();
      }
    }
  }

  *#endControl(): Generator<ClientPart, void, undefined> {
    const data = Buffer.concat(this.#control);
    this.#control = [];
    if (this.#opcode === opcodes.ping) yield { kind: 'ping', data };
    if (this.#opcode === opcodes.close) {
      this.#closed = true;
      yield { kind: 'close', data };
    }
  }

  /** Collects header bytes (section 5.2) until there is a whole header; returns what is behind it. */
  #readHeader(chunk: Buffer): Buffer {
    const known = Buffer.concat([this.#header, chunk.subarray(0, longestHeader)]);
    const size = headerSize(known);
    if (known.length < size) {
      this.#header = known;
      return chunk.subarray(Math.min(longestHeader, chunk.length));
    }
    const rest = chunk.subarray(size - this.#header.length);
    this.#header = Buffer.alloc(0);
    const [first = 0, second = 0] = known;
    const short = second & 0x7f;
    this.#left =
      short === 126
        ? BigInt(known.readUInt16BE(2))
        : short === 127
          ? known.readBigUInt64BE(2)
          : BigInt(short);
    this.#opcode = first & 0x0f;
    this.#mask = Buffer.from(known.subarray(size - 4, size));
    this.#offset = 0;
    return rest;
  }
}

/**
 * Bytes of the header that begins with `start`; at least 2. Throws a SyntaxError as soon as its first two bytes show that
 * it breaks the protocol.
 */
function headerSize(start: Buffer): number {
  const [first = 0, second] = start;
  if (second === undefined) return 2;
  const opcode = first & 0x0f;
  const short = second & 0x7f;
  if ((first & 0x70) !== 0) throw new SyntaxError('reserved bits are set');
  if ((second & 0x80) === 0) throw new SyntaxError('frames of a client must be masked');
  if (!Object.values<number>(opcodes).includes(opcode)) throw new SyntaxError(`unknown opcode ${opcode}`);
  if (opcode >= 8 && (short > maxControlLength || (first & 0x80) === 0)) {
    throw new SyntaxError('control frames are short and whole');
  }
  return 2 + 4 + (short === 126 ? 2 : short === 127 ? 8 : 0);
}
