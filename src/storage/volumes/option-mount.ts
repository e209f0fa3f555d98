import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { isIP } from 'node:net';
import { Worker } from 'node:worker_threads';
import { internal, messageOf } from '#/base/errors.ts';
import { siblingModule } from '#/base/sibling-module.ts';
import { type Mount, mount } from '#/kernel/mount.ts';
import type { Volume } from './volume.ts';

/** What is to be mounted, and where. */
export interface MountJob {
  readonly request: Mount;
  readonly target: string;
}

const networkTypes: ReadonlySet<string> = new Set(['nfs', 'nfs3', 'nfs4', 'cifs', 'smb3']);

/** Mounts what the options of a volume say on its directory. Throws `internal` with the reason, never with a password. */
export async function mountOptions(volume: Volume): Promise<void> {
  const { type = '', device = '', o = '' } = volume.options ?? {};
  const target = volume.mountpoint;
  const words = o.split(',').filter((word) => word !== '');
  try {
    if (networkTypes.has(type)) {
      const options = await Promise.all(words.map(resolveAddress));
      await mountInThread({ request: { type, source: device, options }, target });
    } else {
      mount({ type, source: device, options: words }, target);
    }
  } catch (error) {
    const data = words.map((word) => word.replace(/^(password|pass)=.*/, '$1=****')).join(',');
    throw internal(
      `failed to mount local volume: mount ${device}:${target}, data: ${data}: ${messageOf(error)}`,
      error,
    );
  }
}

/** A network file system is mounted when its server answers, which can take minutes: not on the daemon's own thread. */
async function mountInThread(job: MountJob): Promise<void> {
  const worker = new Worker(siblingModule('mount-worker', import.meta.url), {
    name: 'mount',
    workerData: job,
  });
  // Rejects with what the thread throws.
  await once(worker, 'exit');
}

/** The kernel's network file systems take addresses only; mount(8) and Docker resolve names for them. */
async function resolveAddress(word: string): Promise<string> {
  const name = /^addr=(.+)$/.exec(word)?.[1];
  if (name === undefined || isIP(name) !== 0) return word;
  return `addr=${(await lookup(name)).address}`;
}
