import { type FileHandle, open } from 'node:fs/promises';

/** Large enough that what each piece costs does not matter, small enough for the processor's cache. */
const pieceSize = 256 * 1024;

/**
 * The bytes of a file, in pieces that are only valid until the next one is asked for. The next one is read meanwhile.
 * There are two buffers, however large the file is: new ones for each piece keep the garbage collector busy all the time.
 */
export async function* lendFile(path: string): AsyncGenerator<Buffer, void, undefined> {
  await using file = await open(path, 'r');
  const buffers = [Buffer.allocUnsafeSlow(pieceSize), Buffer.allocUnsafeSlow(pieceSize)];
  let position = 0;
  let turn = 0;
  let reading = readInto(file, buffers[turn] as Buffer, position);
  try {
    for (;;) {
      const piece = await reading;
      if (piece.length === 0) return;
      position += piece.length;
      turn = 1 - turn;
      reading = readInto(file, buffers[turn] as Buffer, position);
      yield piece;
    }
  } finally {
    // A reader who leaves must not close the file under the reading.
    await reading.catch(() => {});
  }
}

function readInto(file: FileHandle, buffer: Buffer, position: number): Promise<Buffer> {
  const piece = file
    .read(buffer, 0, buffer.length, position)
    .then(({ bytesRead }) => buffer.subarray(0, bytesRead));
  // Whoever asks for the piece is told.
  piece.catch(() => {});
  return piece;
}
