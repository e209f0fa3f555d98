import { readFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { ByteString } from '#/base/byte-string.ts';
import { isSystemError } from '#/base/errors.ts';
import type { ContextEntry, Xattrs } from './context-entry.ts';

/** What a kept tree holds, by path. */
export type KnownEntries = Map<ByteString, ContextEntry>;

/** The first line of an index. */
export interface IndexHead {
  /** Bytes of file content. */
  readonly bytes: number;
  /** What was written before a power cut may not be there after it. */
  readonly boot: string;
}

/** Lines that are written at once. */
const batchSize = 2000;

const bootFile = '/proc/sys/kernel/random/boot_id';

/** Writes what a tree holds. The file is there, whole, or not. */
export async function writeIndex(path: string, known: KnownEntries, bytes: number): Promise<void> {
  const head: IndexHead = { bytes, boot: bootId() };
  const temporary = `${path}.new`;
  {
    await using file = await open(temporary, 'w', 0o600);
    let lines = [JSON.stringify(head)];
    for (const { path: name, kind, mode, uid, gid, size, mtime, linkPath, xattrs } of known.values()) {
      const facts = [name, kind, mode, uid, gid, size, String(mtime), linkPath];
      lines.push(JSON.stringify(xattrs === undefined ? facts : [...facts, encoded(xattrs)]));
      if (lines.length < batchSize) continue;
      await file.appendFile(`${lines.join('\n')}\n`);
      lines = [];
    }
    await file.appendFile(`${lines.join('\n')}\n`);
  }
  await rename(temporary, path);
}

/** The head of an index; undefined if there is none that counts. */
export async function readHead(path: string): Promise<IndexHead | undefined> {
  try {
    await using file = await open(path, 'r');
    for await (const line of file.readLines()) {
      const head = JSON.parse(line) as IndexHead;
      return head.boot === bootId() ? head : undefined;
    }
    return undefined;
  } catch (error) {
    if (isSystemError(error, 'ENOENT') || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Reads what `writeIndex` has written. */
export async function readIndex(path: string): Promise<KnownEntries> {
  await using file = await open(path, 'r');
  const known: KnownEntries = new Map();
  let isHead = true;
  for await (const line of createInterface({ input: file.createReadStream({ autoClose: false }) })) {
    if (isHead || line === '') {
      isHead = false;
      continue;
    }
    const [name, kind, mode, uid, gid, size, mtime, linkPath, xattrs] = JSON.parse(line) as [
      ByteString,
      ContextEntry['kind'],
      number,
      number,
      number,
      number,
      string,
      ByteString,
      Readonly<Record<string, string>>?,
    ];
    const entry = { path: name, kind, mode, uid, gid, size, mtime: BigInt(mtime), linkPath };
    known.set(name, xattrs === undefined ? entry : { ...entry, xattrs: decoded(xattrs) });
  }
  return known;
}

function encoded(xattrs: Xattrs): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...xattrs].map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
  );
}

function decoded(xattrs: Readonly<Record<string, string>>): Xattrs {
  return new Map(Object.entries(xattrs).map(([name, value]) => [name, Buffer.from(value, 'base64')]));
}

function bootId(): string {
  return readFileSync(bootFile, 'latin1').trim();
}
