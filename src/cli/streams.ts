import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { FrameDecoder } from '#/wire/frames.ts';

/** Waits until a stream has room again, or is gone. */
async function drained(stream: Writable): Promise<void> {
  if (stream.destroyed || stream.writableEnded) return;
  const controller = new AbortController();
  const options = { signal: controller.signal };
  // Only the first one counts; a reader that goes away ends the process through main's handler.
  await Promise.race([once(stream, 'drain', options), once(stream, 'close', options)]).finally(() =>
    controller.abort(),
  );
}

/** Writes and, when the stream is full, waits. */
export async function writeAll(stream: Writable, data: Uint8Array): Promise<void> {
  if (!stream.write(data)) await drained(stream);
}

/** Copies bytes until the source ends; reads no faster than the target takes them. */
export async function copyBytes(source: AsyncIterable<Uint8Array>, target: Writable): Promise<void> {
  for await (const chunk of source) await writeAll(target, chunk);
}

/** Where the streams of a container go; what is not there is dropped. */
export interface OutputStreams {
  readonly stdout?: Writable | undefined;
  readonly stderr?: Writable | undefined;
}

/** Takes the multiplexed output of a container apart until it ends. Throws an Error that the daemon sends in it. */
export async function copyFrames(
  source: AsyncIterable<Buffer>,
  { stdout, stderr }: OutputStreams,
): Promise<void> {
  const decoder = new FrameDecoder();
  let systemError = '';
  for await (const chunk of source) {
    for (const { stream, data } of decoder.push(chunk)) {
      if (stream === 'systemerr') systemError += data.toString();
      const target = stream === 'stderr' ? stderr : stdout;
      if (stream !== 'systemerr' && target !== undefined) await writeAll(target, data);
    }
  }
  if (systemError !== '') throw new Error(`error from daemon in stream: ${systemError}`);
}
