import type { ArchiveSink, TreeSink } from '#/builder/request.ts';
import { methodPath } from '../grpc/server.ts';
import { FileSend } from '../messages/filesend_pb.ts';
import { PacketSchema } from '../messages/fsutil_pb.ts';
import type { ClientSession } from '../session/session.ts';
import { sendTree } from './send.ts';

/** Which of its outputs the client is to take this for; clients before 2024 know of one only and ignore it. */
const outputHeader = 'buildkit-attachable-exporter-id';
/** Bytes of one message; clients take at most 4 MB. */
const pieceSize = 1024 * 1024;

/** Takes an archive to the client, as its output number `index`. */
export function clientArchive(session: ClientSession, index: number): ArchiveSink {
  return {
    async write(bytes, { signal }): Promise<void> {
      const { input, output } = FileSend.method.diffCopy;
      const method = { path: methodPath(FileSend.method.diffCopy), input, output };
      using stream = session.rpc.stream(method, { signal, metadata: { [outputHeader]: String(index) } });
      for await (const chunk of bytes) {
        for (let at = 0; at < chunk.length; at += pieceSize) {
          await stream.send({ data: chunk.subarray(at, at + pieceSize) });
        }
      }
      stream.end();
      // The client ends the stream when it has written all, or says why it could not.
      for await (const _message of stream);
    },
  };
}

/** Takes a tree of files to the client, as its output number `index`. */
export function clientTree(session: ClientSession, index: number): TreeSink {
  return {
    async write(root, { signal, progress }): Promise<void> {
      const method = {
        path: methodPath(FileSend.method.diffCopy),
        input: PacketSchema,
        output: PacketSchema,
      };
      using stream = session.rpc.stream(method, { signal, metadata: { [outputHeader]: String(index) } });
      const started = new Date();
      let current = 0;
      const report = (completed?: Date): void => {
        progress({ id: 'copying files', current, total: 0, started, ...(completed && { completed }) });
      };
      await sendTree(stream, root, (total) => {
        current = total;
        report();
      });
      report(new Date());
    },
  };
}
