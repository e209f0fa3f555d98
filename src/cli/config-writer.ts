import { randomBytes } from 'node:crypto';
import { mkdir, open, readlink, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { isSystemError } from '#/base/errors.ts';
import type { ConfigDocument } from './config-file.ts';

/**
 * Writes the file as docker does: indented with tabs, at once or not at all, through symbolic links, with the owner and
 * mode that it had (0600 for a new one, its folder 0700).
 */
export async function writeConfigFile(path: string, document: ConfigDocument): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const target = await followLinks(path);
  const draft = `${target}.${randomBytes(6).toString('hex')}`;
  try {
    await writeDraft(draft, target, JSON.stringify(document, undefined, '\t'));
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

async function writeDraft(draft: string, target: string, text: string): Promise<void> {
  await using file = await open(draft, 'wx', 0o600);
  const before = await stat(target).catch(absent);
  if (before !== undefined) {
    // Only root can give files away; for others it is theirs already.
    if (process.geteuid?.() === 0) await file.chown(before.uid, before.gid);
    await file.chmod(before.mode & 0o7777);
  }
  await file.writeFile(text);
  await file.sync();
}

/** So many symbolic links lead nowhere. */
const maxLinks = 40;

/** Where a path leads, whether or not there is something. */
async function followLinks(path: string): Promise<string> {
  let at = path;
  for (let links = 0; links < maxLinks; links += 1) {
    const next = await readlink(at).catch((error: unknown) => {
      if (isSystemError(error, 'EINVAL')) return undefined;
      return absent(error);
    });
    if (next === undefined) return at;
    at = resolve(dirname(at), next);
  }
  throw new Error(`cannot write the configuration file ${path}: too many symbolic links`);
}

function absent(error: unknown): undefined {
  if (!isSystemError(error, 'ENOENT')) throw error;
}
