import { type FoundPackage, packageOf } from './package.ts';

/** Reads a part of a file; fewer bytes at its end. */
export type ReadAt = (offset: number, length: number) => Buffer;

/** Bytes of a file's beginning that tell whether it can be a Go program. */
export const elfHeaderBytes = 64;
const maxSections = 200;
const maxInfoBytes = 4 * 1024 * 1024;
const sectionHeaderBytes = 64;
const infoMagic = Buffer.from('\xff Go buildinf:', 'latin1');

/** Tells whether a file that begins like this is a 64-bit little-endian ELF file (elf(5)). */
export function isElf(start: Buffer): boolean {
  return (
    start.length >= elfHeaderBytes && start.readUInt32BE(0) === 0x7f454c46 && start[4] === 2 && start[5] === 1
  );
}

/** The modules of a Go program: what `go version -m` shows (debug/buildinfo of Go 1.18 and later). Nothing if it is none. */
export function readGoProgram(start: Buffer, readAt: ReadAt): FoundPackage[] {
  const info = buildInfo(start, readAt);
  if (info === undefined) return [];
  const found: (FoundPackage | undefined)[] = [
    packageOf('golang', { name: 'stdlib', version: info.version.replace(/^go/, 'v').split(' ')[0] }),
  ];
  for (const line of info.modules.split('\n')) {
    const [kind, name, version] = line.split('\t');
    // What is replaced by another module is not in the program.
    if (kind === '=>') found.pop();
    if (kind === 'mod' || kind === 'dep' || kind === '=>') {
      found.push(packageOf('golang', { name, version: version === '' ? undefined : version }));
    }
  }
  return found.filter((each) => each !== undefined);
}

function buildInfo(start: Buffer, readAt: ReadAt): { version: string; modules: string } | undefined {
  const section = infoSection(start, readAt);
  if (
    section === undefined ||
    section.length < 32 ||
    !section.subarray(0, infoMagic.length).equals(infoMagic)
  )
    return undefined;
  // Bit 1: the texts stand here, with their lengths. Before Go 1.18 there were pointers.
  if (((section[15] ?? 0) & 2) === 0) return undefined;
  const version = textAt(section, 32);
  const modules = version && textAt(section, version.end);
  if (version === undefined || modules === undefined) return undefined;
  // The modules stand between two marks of 16 bytes.
  return { version: version.text, modules: modules.text.slice(16, -16) };
}

function infoSection(start: Buffer, readAt: ReadAt): Buffer | undefined {
  const tableOffset = Number(start.readBigUInt64LE(0x28));
  const entryBytes = start.readUInt16LE(0x3a);
  const count = start.readUInt16LE(0x3c);
  const namesIndex = start.readUInt16LE(0x3e);
  if (entryBytes !== sectionHeaderBytes || count > maxSections || namesIndex >= count) return undefined;
  const table = readAt(tableOffset, count * entryBytes);
  if (table.length < count * entryBytes) return undefined;
  const place = (index: number): { offset: number; size: number } => ({
    offset: Number(table.readBigUInt64LE(index * entryBytes + 0x18)),
    size: Number(table.readBigUInt64LE(index * entryBytes + 0x20)),
  });
  const { offset, size } = place(namesIndex);
  const names = readAt(offset, Math.min(size, 64 * 1024));
  for (let index = 0; index < count; index += 1) {
    const at = table.readUInt32LE(index * entryBytes);
    const end = names.indexOf(0, at);
    if (end < 0 || names.subarray(at, end).toString('latin1') !== '.go.buildinfo') continue;
    const section = place(index);
    return readAt(section.offset, Math.min(section.size, maxInfoBytes));
  }
  return undefined;
}

/** A text with its length before it, as a varint. */
function textAt(bytes: Buffer, offset: number): { text: string; end: number } | undefined {
  let length = 0;
  let at = offset;
  for (let shift = 0; ; shift += 7, at += 1) {
    const byte = bytes[at];
    if (byte === undefined || shift > 28) return undefined;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  const end = at + 1 + length;
  // Modules are text; the marks around them are bytes of which each has to stay one character.
  return end > bytes.length ? undefined : { text: bytes.subarray(at + 1, end).toString('latin1'), end };
}
