import type { ByteString } from '#/base/byte-string.ts';
import { invalid } from '#/base/errors.ts';
import { Packet_PacketType as kinds, type Packet } from '../messages/fsutil_pb.ts';
import type { PacketStream } from './packets.ts';
import { EntryCheck, type ReceivedEntry } from './received-entry.ts';

/** Where a tree goes that is being received. */
export interface ReceivingTree {
  /** Takes an entry; tells whether the content of this file is wanted. */
  entry(entry: ReceivedEntry): boolean;
  /** Takes a piece of a file whose content was wanted. Pieces of several files come mixed. */
  write(path: ByteString, piece: Buffer): undefined | Promise<void>;
  /** The file is complete. */
  end(path: ByteString): undefined | Promise<void>;
}

/**
 * Receives a tree: the sender lists all that there is, and sends what it is asked for. `onBytes` hears how many bytes came
 * in all. Throws `invalid` for a sender that does not keep to the protocol.
 */
export async function receiveTree(
  stream: PacketStream,
  tree: ReceivingTree,
  onBytes: (total: number) => void,
): Promise<void> {
  await new Reception(stream, tree, onBytes).run();
}

class Reception {
  readonly #stream: PacketStream;
  readonly #tree: ReceivingTree;
  readonly #onBytes: (total: number) => void;
  readonly #check = new EntryCheck();
  /** Files that were asked for and are not complete, by number. */
  readonly #open = new Map<number, ByteString>();
  readonly #requests: number[] = [];
  #isAsking = false;
  #entries = 0;
  #bytes = 0;
  #isListed = false;
  #isDone = false;

  constructor(stream: PacketStream, tree: ReceivingTree, onBytes: (total: number) => void) {
    this.#stream = stream;
    this.#tree = tree;
    this.#onBytes = onBytes;
  }

  async run(): Promise<void> {
    let isAcknowledged = false;
    for await (const packet of this.#stream) {
      if (isAcknowledged) throw invalid('the client sends files after it has finished');
      switch (packet.type) {
        case kinds.STAT:
          this.#stat(packet);
          break;
        case kinds.DATA:
          await this.#data(packet);
          break;
        case kinds.ERR:
          throw invalid(`error from sender: ${Buffer.from(packet.data).toString('utf8')}`);
        case kinds.FIN:
          if (!this.#isDone) throw invalid('the client has finished before it sent all files');
          isAcknowledged = true;
          this.#stream.end();
          break;
        case kinds.REQ:
        default:
          throw invalid(`the client sends a packet of the unknown type ${String(packet.type)}`);
      }
      this.#finishIfComplete();
    }
    if (!isAcknowledged) throw invalid('the client has ended the transfer of its files');
  }

  #stat({ stat }: Packet): void {
    if (this.#isListed) throw invalid('the client lists files after the end of the list');
    if (stat === undefined) {
      this.#isListed = true;
      return;
    }
    const number = this.#entries++;
    const entry = this.#check.parse(stat);
    this.#count(stat.path.length + 16);
    if (!this.#tree.entry(entry)) return;
    this.#open.set(number, entry.path);
    this.#requests.push(number);
    // A failure to send is told by the stream's end, too.
    this.#ask().catch(() => {});
  }

  async #data({ id, data }: Packet): Promise<void> {
    const path = this.#open.get(id);
    if (path === undefined) throw invalid(`the client sends file ${id}, which it was not asked for`);
    this.#count(data.length);
    if (data.length > 0) {
      // Waiting costs a turn of the loop even where there is nothing to wait for.
      const written = this.#tree.write(path, Buffer.from(data.buffer, data.byteOffset, data.length));
      if (written !== undefined) await written;
      return;
    }
    this.#open.delete(id);
    await this.#tree.end(path);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#onBytes(this.#bytes);
  }

  /** Sends requests apart from reading: a sender that does not read them while it sends must not stop us from reading. */
  async #ask(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    while (this.#requests.length > 0) {
      for (const id of this.#requests.splice(0)) await this.#stream.send({ type: kinds.REQ, id });
    }
    this.#isAsking = false;
  }

  #finishIfComplete(): void {
    if (this.#isDone || !this.#isListed || this.#open.size > 0) return;
    this.#isDone = true;
    // After the requests that are still on their way; there are none, or a file would be open.
    void this.#stream.send({ type: kinds.FIN }).catch(() => {});
  }
}
