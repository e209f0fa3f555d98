import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { internal, messageOf } from '#/base/errors.ts';
import { type Mount, mount } from '#/kernel/mount.ts';
import type { Volume } from './volume.ts';

const networkTypes: ReadonlySet<string> = new Set(['nfs', 'nfs3', 'nfs4', 'cifs', 'smb3']);

/** Mounts what the options of a volume say on its directory. Throws `internal` with the reason, never with a password. */
export async function mountOptions(volume: Volume): Promise<void> {
  const { type = '', device = '', o = '' } = volume.options ?? {};
  const words = o.split(',').filter((word) => word !== '');
  try {
    const options = networkTypes.has(type) ? await Promise.all(words.map(resolveAddress)) : words;
    const request: Mount = { type, source: device, options };
    mount(request, volume.mountpoint);
  } catch (error) {
    const data = words.map((word) => word.replace(/^(password|pass)=.*/, '$1=****')).join(',');
    throw internal(
      `failed to mount local volume: mount ${device}:${volume.mountpoint}, data: ${data}: ${messageOf(error)}`,
      error,
    );
  }
}

/** The kernel's network file systems take addresses only; mount(8) and Docker resolve names for them. */
async function resolveAddress(word: string): Promise<string> {
  const name = /^addr=(.+)$/.exec(word)?.[1];
  if (name === undefined || isIP(name) !== 0) return word;
  return `addr=${(await lookup(name)).address}`;
}
