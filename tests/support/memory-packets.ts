import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { PacketStream } from '#/api/buildkit/filesync/packets.ts';
import { type Packet, PacketSchema } from '#/api/buildkit/messages/fsutil_pb.ts';

/** Packets that wait for whoever reads. */
class Pipe {
  readonly #waiting: Packet[] = [];
  #isEnded = false;
  #wake = (): void => {};

  push(packet: MessageInitShape<typeof PacketSchema>): void {
    this.#waiting.push(create(PacketSchema, packet));
    this.#wake();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  async *read(): AsyncGenerator<Packet> {
    for (;;) {
      const packet = this.#waiting.shift();
      if (packet !== undefined) yield packet;
      else if (this.#isEnded) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}

/** Two ends of one stream of packets. What is in the way of one end's `end` is still read at the other. */
export function packetPair(): [PacketStream, PacketStream] {
  const [there, back] = [new Pipe(), new Pipe()];
  return [endOf(there, back), endOf(back, there)];
}

function endOf(out: Pipe, incoming: Pipe): PacketStream {
  return {
    send: (packet) => {
      out.push(packet);
      return Promise.resolve();
    },
    end: () => out.end(),
    [Symbol.asyncIterator]: () => incoming.read(),
  };
}
