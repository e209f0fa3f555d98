import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { invalid, isSystemError } from '#/base/errors.ts';
import { type ForeignCompression, sniffAny } from '#/tar/compression-kind.ts';
import { peek } from './compression.ts';

/** What undoes a compression: always these files, whatever PATH says. */
interface Program {
  readonly path: string;
  readonly args: readonly string[];
  readonly debianPackage: string;
}

const programs: Readonly<Record<ForeignCompression, Program>> = {
  // The strongest preset takes 65 MiB.
  xz: { path: '/usr/bin/xz', args: ['-dc', '--memlimit-decompress=256MiB'], debianPackage: 'xz-utils' },
  bzip2: { path: '/usr/bin/bzip2', args: ['-dc'], debianPackage: 'bzip2' },
};

/** How much of a program's complaint is told. Characters. */
const maxComplaint = 200;

/**
 * Undoes xz and bzip2, which Docker takes archives in too; other streams stay as they are, compressed or not. Reading the result
 * throws `invalid` for damaged data and where the program is missing. The program ends when nobody reads on.
 */
export async function undoForeign(source: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const { start, whole } = await peek(source);
  const compression = sniffAny(start);
  return compression === 'xz' || compression === 'bzip2' ? through(whole, compression) : whole;
}

async function* through(
  source: AsyncIterable<Uint8Array>,
  compression: ForeignCompression,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { path, args, debianPackage } = programs[compression];
  const child = spawn(path, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { LC_ALL: 'C' }, cwd: '/' });
  const ended = endOf(child);
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(0, maxComplaint);
  });
  const fed = pipeline(source, child.stdin);
  fed.catch(() => {});
  try {
    yield* child.stdout as AsyncIterable<Uint8Array>;
    const status = await ended;
    await fed.catch((error: unknown) => {
      // The program has closed its input: what it says about that counts.
      if (!isSystemError(error, 'EPIPE')) throw error;
    });
    if (status === 0) return;
    throw invalid(`Cannot read archive: damaged ${compression} data (${complaint.trim() || status})`);
  } catch (error) {
    if (!isSystemError(error, 'ENOENT') || error.path !== path) throw error;
    const advice = `install the package ${debianPackage}`;
    throw invalid(`Cannot read archive: ${compression} compression needs "${path}"; ${advice}`, error);
  } finally {
    child.kill('SIGKILL');
  }
}

/** The exit code, or the signal that ended it. Rejects when the program could not be started. */
function endOf(child: ChildProcessByStdio<Writable, Readable, Readable>): Promise<number | string> {
  const { promise, resolve, reject } = Promise.withResolvers<number | string>();
  child.once('error', reject);
  child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown end'));
  promise.catch(() => {});
  return promise;
}
