import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { internal, isKind, isSystemError } from '#/base/errors.ts';
import { readDigest } from '#/oci/descriptor.ts';
import type { Digest } from '#/oci/digest.ts';
import { parseJson } from '#/oci/json.ts';

/** What is remembered of a file beside its content. */
export interface Remembered {
  /** For people. */
  readonly url: string;
  readonly digest: Digest;
  readonly size: number;
  readonly name: string;
  /** Milliseconds. */
  readonly modified: number;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
}

/** Its name in the folder of a file. */
export const factsFile = 'facts.json';
const maxBytes = 64 * 1024;

/** What is known of the file in a folder; undefined: nothing. */
export async function remembered(folder: string): Promise<Remembered | undefined> {
  try {
    const facts = parseJson(await readFile(join(folder, factsFile)), { what: factsFile, maxBytes });
    const text = (name: string): string | undefined => facts.get(name).optional((field) => field.string());
    return {
      url: facts.get('url').string(),
      digest: readDigest(facts.get('digest')),
      size: facts.get('size').count(),
      name: facts.get('name').string(),
      modified: facts.get('modified').integer(),
      etag: text('etag'),
      lastModified: text('lastModified'),
    };
  } catch (error) {
    // What a power cut left of the file is as good as nothing.
    if (isSystemError(error, 'ENOENT') || isKind(error, 'invalid')) return undefined;
    throw internal(`Cannot read what is known of a file at ${folder}`, error);
  }
}

/** Replaces what is known of the file in a folder. */
export async function remember(folder: string, facts: Remembered): Promise<void> {
  const path = join(folder, factsFile);
  {
    await using file = await open(`${path}.new`, 'w', 0o600);
    await file.writeFile(JSON.stringify(facts));
  }
  await rename(`${path}.new`, path);
}
