import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Packet, PacketSchema } from '../messages/fsutil_pb.ts';

/** The packets of a tree in both directions. */
export interface PacketStream extends AsyncIterable<Packet> {
  send(packet: MessageInitShape<typeof PacketSchema>): Promise<void>;
  /** Says that no more packets come from here. */
  end(): void;
}
