import { type ByteString, quoted } from '#/base/byte-string.ts';
import { EngineError, internal, invalid, isSystemError } from '#/base/errors.ts';
import type { Owner } from '#/kernel/at.ts';
import type { TarEntry } from '#/tar/tar-entry.ts';
import { readTar, type TarLimits } from '#/tar/tar-reader.ts';
import { Pacer } from '../tree/pacer.ts';
import { EntryWriter, NeedsLowers } from './entry-writer.ts';

/** How to unpack an archive. */
export interface ExtractOptions {
  /** The directory to unpack into; a path of our own making. */
  readonly root: string;
  /** `overlay` and `apply`: see `LayerTarget`. `none`: names like ".wh.x" mean nothing special. */
  readonly whiteouts: 'overlay' | 'apply' | 'none';
  /**
   * Directories of the lower layers, nearest first, for what an archive takes for granted. `later`: they are not there yet;
   * the result tells what is to be done about them.
   */
  readonly lowers?: readonly string[] | 'later';
  readonly limits?: ExtractLimits;
  /** Of all that the archive has, whatever it says. */
  readonly owner?: Owner | undefined;
  /** Directories are made where links in their places lead to nothing, inside of the root. Otherwise such archives are refused. */
  readonly makesLinkTargets?: boolean;
  /** `root` itself keeps its owner, permissions and times, whatever the archive says of it. */
  readonly keepsRoot?: boolean;
  readonly signal?: AbortSignal;
}

/** Bounds on what an archive may bring. */
interface ExtractLimits extends TarLimits {
  /** Bytes of file content. Default: as much as fits the disk. */
  readonly maxBytes?: number;
}

/** What was unpacked. */
export interface ExtractResult {
  readonly entries: number;
  /** Bytes of file content. */
  readonly bytes: number;
  /** With `lowers` later: directories that `dressImplied` has to see to. */
  readonly implied: readonly ByteString[];
  /** With `lowers` later: the archive cannot be unpacked without them; what was unpacked is of no use. */
  readonly needsLowers: boolean;
}

/** What the kernel says about names and kinds that an archive should not have; anything else is the machine's trouble. */
const archiveFaults = [
  'ENAMETOOLONG',
  'ENOTDIR',
  'EISDIR',
  'ELOOP',
  'EEXIST',
  'ENOENT',
  'EINVAL',
  'EXDEV',
  'EPERM',
  'EFBIG',
  'EMLINK',
  'E2BIG',
  'ERANGE',
];

/**
 * Unpacks an uncompressed archive into a directory, as root: owners, permissions, times, attributes, links, devices and
 * holes as the archive says. Nothing is ever touched outside of the directory, whatever names and links the archive has
 * and whatever is changed in the tree meanwhile. A later entry replaces an earlier one of the same name, but directories
 * are merged. Throws EngineError: `invalid` for an archive that cannot be unpacked, `tooLarge` beyond the limits,
 * `internal` when the machine fails (disk full); what was unpacked until then stays, remove it.
 */
export async function extractTar(
  source: AsyncIterable<Uint8Array>,
  options: ExtractOptions,
): Promise<ExtractResult> {
  using writer = new EntryWriter(options);
  const pacer = new Pacer();
  let entries = 0;
  try {
    for await (const entry of readTar(source, options.limits)) {
      options.signal?.throwIfAborted();
      entries += 1;
      await writing(entry, () => writer.write(entry));
      if (pacer.due) await pacer.turn();
    }
  } catch (error) {
    if (error instanceof NeedsLowers) return { entries, bytes: writer.bytes, implied: [], needsLowers: true };
    throw error;
  }
  writer.finish();
  return { entries, bytes: writer.bytes, implied: writer.implied, needsLowers: false };
}

async function writing(entry: TarEntry, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (error instanceof EngineError) throw error;
    const message = `Cannot unpack ${quoted(entry.path)}`;
    if (isSystemError(error, ...archiveFaults)) throw invalid(`${message}: ${error.message}`, error);
    if (isSystemError(error)) throw internal(`${message}: ${error.message}`, error);
    throw error;
  }
}
