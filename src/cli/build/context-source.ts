import { type Stats, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { isArchive } from '#/tar/is-archive.ts';
import type { TerminalInput } from '../command.ts';
import { goMessage } from '../system-errors.ts';

/** The longest Dockerfile that is read from standard input. Bytes. */
const maxDockerfile = 16 * 1024 * 1024;
/** As much of standard input as tells what it is. Bytes. */
const headSize = 512;

/** Where the files of a build are. */
export type ContextSource =
  | { readonly kind: 'folder'; readonly path: string }
  /** The daemon gets it. */
  | { readonly kind: 'url'; readonly url: string }
  /** On standard input. */
  | { readonly kind: 'archive'; readonly bytes: AsyncIterable<Uint8Array> }
  /** There are none: standard input is the Dockerfile. */
  | { readonly kind: 'dockerfile'; readonly content: Buffer };

/** Finds out what the argument of `build` means. Throws an Error in docker's words. */
export async function contextSource(argument: string, stdin: () => TerminalInput): Promise<ContextSource> {
  if (argument === '-') return fromInput(stdin());
  if (argument === '') throw new Error('please specify build context (e.g. "." for the current directory)');
  const there = statContext(argument);
  if (there?.isDirectory() === true) return { kind: 'folder', path: argument };
  if (isUrl(argument)) return { kind: 'url', url: argument };
  const quoted = JSON.stringify(argument);
  if (there === undefined) throw new Error(`unable to prepare context: path ${quoted} not found`);
  throw new Error(
    `unable to prepare context: path ${quoted} is not a directory; if it is the Dockerfile: --file ${argument} DIRECTORY`,
  );
}

/** Tells whether the daemon is to get it: a git repository or something behind http. */
export function isUrl(text: string): boolean {
  return /^(?:https?:\/\/|git:\/\/|ssh:\/\/|git@|github\.com\/)/.test(text);
}

/** Tells whether it is a git repository that is reached by ssh. */
export function isSshUrl(text: string): boolean {
  return /^(?:ssh:\/\/|git@)/.test(text);
}

function statContext(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw new Error(`unable to prepare context: ${goMessage(error)}`, { cause: error });
  }
}

async function fromInput(stdin: TerminalInput): Promise<ContextSource> {
  if (stdin.isTTY === true) {
    throw new Error(
      '"-" takes the context or the Dockerfile from standard input, which is a terminal: pipe a file or an archive into it, or write "." for the current directory',
    );
  }
  const reader = readerOf(stdin);
  const head = await reader.atLeast(headSize);
  if (head.length > 0 && isArchive(head)) return { kind: 'archive', bytes: reader.all() };
  if (head.includes(0)) {
    throw new Error(
      'standard input is neither a Dockerfile nor an archive of a known kind: tar, or tar with gzip, bzip2, xz or zstd',
    );
  }
  return { kind: 'dockerfile', content: await readAll(reader.all()) };
}

/** All of standard input as a Dockerfile. Throws an Error if it is too long. */
export async function readDockerfile(stdin: Readable): Promise<Buffer> {
  return readAll(stdin);
}

async function readAll(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.length;
    if (size > maxDockerfile) throw new Error(`a Dockerfile has at most ${maxDockerfile} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** A stream whose beginning can be looked at before it is read. */
function readerOf(source: AsyncIterable<Uint8Array>): {
  atLeast(size: number): Promise<Buffer>;
  all(): AsyncIterable<Uint8Array>;
} {
  const iterator = source[Symbol.asyncIterator]();
  const seen: Uint8Array[] = [];
  const length = (): number => seen.reduce((sum, chunk) => sum + chunk.length, 0);
  return {
    async atLeast(size) {
      while (length() < size) {
        const next = await iterator.next();
        if (next.done === true) break;
        seen.push(next.value);
      }
      return Buffer.concat(seen);
    },
    async *all() {
      yield* seen;
      for (;;) {
        const next = await iterator.next();
        if (next.done === true) return;
        yield next.value;
      }
    },
  };
}
