import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isSystemError } from '#/base/errors.ts';

/** Where the kernel tells which programs run others (Documentation/admin-guide/binfmt-misc.rst). */
const binfmtRoot = '/proc/sys/fs/binfmt_misc';

/** Beginning of an ELF program for each architecture, by Go's names: class and byte order, and the machine (elf.h). */
const programs: Readonly<Record<string, string>> = {
  amd64: elf('0201', '3e00'),
  arm64: elf('0201', 'b700'),
  arm: elf('0101', '2800'),
  loong64: elf('0201', '0201'),
  mips64le: elf('0201', '0800'),
  ppc64le: elf('0201', '1500'),
  riscv64: elf('0201', 'f300'),
  s390x: elf('0202', '0016'),
};

/**
 * The architectures, by Go's names, whose programs an emulator runs that is registered with the kernel and need not be in the
 * container's files (flag F). None if binfmt_misc is not mounted.
 */
export function emulatedArchitectures(root: string = binfmtRoot): string[] {
  const entries = entriesIn(root);
  return Object.entries(programs)
    .filter(([, program]) => entries.some((entry) => matches(entry, Buffer.from(program, 'hex'))))
    .map(([architecture]) => architecture);
}

interface Entry {
  readonly magic: Buffer;
  readonly mask: Buffer;
  readonly offset: number;
}

function entriesIn(root: string): Entry[] {
  try {
    const names = readdirSync(root).filter((name) => name !== 'register' && name !== 'status');
    return names.flatMap((name) => parseEntry(readFileSync(join(root, name), 'utf8')) ?? []);
  } catch (error) {
    // It is not there, or an entry has just gone.
    if (isSystemError(error, 'ENOENT')) return [];
    throw error;
  }
}

/** An entry as the kernel shows it; undefined for one that is off, goes by a file's name, or looks for its program in the container. */
function parseEntry(text: string): Entry | undefined {
  const lines = text.split('\n');
  const value = (key: string): string | undefined =>
    lines.find((line) => line.startsWith(`${key} `))?.slice(key.length + 1);
  const magic = value('magic');
  const flags = lines.find((line) => line.startsWith('flags:')) ?? '';
  if (lines[0] !== 'enabled' || magic === undefined || !flags.includes('F')) return undefined;
  const mask = value('mask') ?? 'ff'.repeat(magic.length / 2);
  return {
    magic: Buffer.from(magic, 'hex'),
    mask: Buffer.from(mask, 'hex'),
    offset: Number(value('offset') ?? 0),
  };
}

function matches({ magic, mask, offset }: Entry, program: Buffer): boolean {
  const part = program.subarray(offset, offset + magic.length);
  return (
    part.length === magic.length &&
    magic.every((byte, at) => ((byte ^ (part[at] ?? 0)) & (mask[at] ?? 0)) === 0)
  );
}

/** The first 20 bytes: identification, type (executable) and machine. */
function elf(classAndOrder: string, machine: string): string {
  const type = classAndOrder.endsWith('02') ? '0002' : '0200';
  return `7f454c46${classAndOrder}01${'00'.repeat(9)}${type}${machine}`;
}
