import { type BigIntStats } from 'node:fs';
import { type FileHandle, lstat, open, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { internal, invalid } from '#/base/errors.ts';
import { Packet_PacketType as kinds } from '../messages/fsutil_pb.ts';
import { type EntryKind, goMode } from './file-mode.ts';
import type { PacketStream } from './packets.ts';

/** Bytes of one packet; clients take at most 4 MB. */
const pieceSize = 512 * 1024;

/** Sends all that is below a directory of ours. `onBytes` hears how many bytes of files went in all. */
export async function sendTree(
  stream: PacketStream,
  root: string,
  onBytes: (total: number) => void,
): Promise<void> {
  const sending = new Sending(stream, root, onBytes);
  // Both at the same time: the receiver asks while it is still being told what there is.
  await Promise.all([sending.list(), sending.answer()]);
}

class Sending {
  readonly #stream: PacketStream;
  readonly #root: string;
  readonly #onBytes: (total: number) => void;
  /** Paths of the files that may be asked for, by number. */
  readonly #files = new Map<number, string>();
  readonly #firstLinks = new Map<string, string>();
  #entries = 0;
  #bytes = 0;

  constructor(stream: PacketStream, root: string, onBytes: (total: number) => void) {
    this.#stream = stream;
    this.#root = root;
    this.#onBytes = onBytes;
  }

  async list(): Promise<void> {
    await this.#directory('');
    await this.#stream.send({ type: kinds.STAT });
  }

  async answer(): Promise<void> {
    for await (const packet of this.#stream) {
      if (packet.type === kinds.REQ) await this.#file(packet.id);
      else if (packet.type === kinds.FIN) {
        await this.#stream.send({ type: kinds.FIN });
        this.#stream.end();
      } else if (packet.type === kinds.ERR) {
        throw invalid(`error from receiver: ${Buffer.from(packet.data).toString('utf8')}`);
      }
    }
  }

  async #directory(path: string): Promise<void> {
    const names = await readdir(join(this.#root, path), { encoding: 'buffer' });
    for (const name of names.map(textName).toSorted(byBytes)) {
      const inner = path === '' ? name : `${path}/${name}`;
      if ((await this.#entry(inner)) === 'directory') await this.#directory(inner);
    }
  }

  async #entry(path: string): Promise<EntryKind> {
    const full = join(this.#root, path);
    const stat = await lstat(full, { bigint: true });
    const kind = kindOfStat(stat);
    if (kind === 'socket') return kind;
    let linkname = kind === 'symlink' ? await readlink(full) : '';
    const number = this.#entries++;
    if (kind === 'file') {
      linkname = this.#earlierLink(stat, path);
      this.#files.set(number, path);
    }
    await this.#stream.send({
      type: kinds.STAT,
      stat: {
        path,
        mode: goMode(kind, Number(stat.mode) & 0o7777),
        uid: Number(stat.uid),
        gid: Number(stat.gid),
        size: kind === 'file' ? stat.size : 0n,
        modTime: stat.mtimeNs,
        linkname,
      },
    });
    return kind;
  }

  #earlierLink(stat: BigIntStats, path: string): string {
    if (stat.nlink < 2n) return '';
    const key = `${stat.dev}:${stat.ino}`;
    const first = this.#firstLinks.get(key);
    if (first !== undefined) return first;
    this.#firstLinks.set(key, path);
    return '';
  }

  async #file(number: number): Promise<void> {
    const path = this.#files.get(number);
    if (path === undefined) throw invalid(`the client asks for file ${number}, which it was not told of`);
    this.#files.delete(number);
    await using file = await open(join(this.#root, path), 'r');
    for await (const data of pieces(file)) {
      await this.#stream.send({ type: kinds.DATA, id: number, data });
      this.#bytes += data.length;
      this.#onBytes(this.#bytes);
    }
    await this.#stream.send({ type: kinds.DATA, id: number });
  }
}

async function* pieces(file: FileHandle): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(pieceSize);
  for (;;) {
    // The bytes are copied into the frame before the next turn.
    const { bytesRead } = await file.read(buffer, 0, pieceSize, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

function kindOfStat(stat: BigIntStats): EntryKind {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isFIFO()) return 'fifo';
  return stat.isSocket() ? 'socket' : 'device';
}

/** Names travel as text. */
function textName(name: Buffer): string {
  const text = name.toString('utf8');
  if (Buffer.compare(Buffer.from(text), name) !== 0) {
    throw internal(`Cannot send a file to the client: its name ${JSON.stringify(text)} is not UTF-8`);
  }
  return text;
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
