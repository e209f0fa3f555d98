import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isSystemError, messageOf } from '#/base/errors.ts';
import { canonicalString, type Reference } from '#/oci/reference.ts';
import type { Context } from '../command.ts';
import type { ManifestEntry } from './entry.ts';

/**
 * Lists of manifests that are being made: a folder each, with a file for each image, where docker keeps them too and finds
 * them.
 */
export class ManifestStore {
  readonly #root: string;

  constructor({ config }: Pick<Context, 'config'>) {
    this.#root = join(dirname(config.path), 'manifests');
  }

  /** The images of a list in the order of their files' names; undefined if there is no such list. */
  async list(target: Reference): Promise<ManifestEntry[] | undefined> {
    const folder = this.#folder(target);
    try {
      const names = (await readdir(folder)).filter((name) => !name.endsWith(temporary)).toSorted();
      return await Promise.all(names.map((name) => readEntry(join(folder, name))));
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** One image of a list. */
  async get(target: Reference, image: Reference): Promise<ManifestEntry | undefined> {
    try {
      return await readEntry(this.#file(target, image));
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** Keeps an image in a list, in the place of what was there under its name. */
  async put(target: Reference, image: Reference, entry: ManifestEntry): Promise<void> {
    const file = this.#file(target, image);
    await mkdir(dirname(file), { recursive: true, mode: 0o755 });
    // Complete or not at all, whatever happens now.
    await writeFile(`${file}${temporary}`, JSON.stringify(entry), { mode: 0o644 });
    await rename(`${file}${temporary}`, file);
  }

  /** Removes a list; false if there is none. */
  async remove(target: Reference): Promise<boolean> {
    if ((await this.list(target)) === undefined) return false;
    await rm(this.#folder(target), { recursive: true });
    return true;
  }

  #folder(target: Reference): string {
    return join(this.#root, fileName(target));
  }

  #file(target: Reference, image: Reference): string {
    return join(this.#folder(target), fileName(image));
  }
}

const temporary = '.tmp';

/** A name without a path in it. */
function fileName(reference: Reference): string {
  return canonicalString(reference).replaceAll(':', '-').replaceAll('/', '_');
}

async function readEntry(file: string): Promise<ManifestEntry> {
  const text = await readFile(file, 'utf8');
  try {
    const entry = JSON.parse(text) as Partial<ManifestEntry> | null;
    if (typeof entry?.Ref !== 'string' || typeof entry.Descriptor?.digest !== 'string') {
      throw new Error('it is not what it should be');
    }
    return { ...entry, Ref: entry.Ref, Descriptor: entry.Descriptor };
  } catch (error) {
    throw new Error(`cannot read the manifest in ${file}: ${messageOf(error)}`, { cause: error });
  }
}
