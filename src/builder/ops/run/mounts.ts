import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { invalid } from '#/base/errors.ts';
import { mount, unmount } from '#/kernel/mount.ts';
import type { MountInput } from '#/runtime/spec/input.ts';
import type { SecretSource, SshSource } from '../../request.ts';
import { NotLentError } from '../../step-error.ts';
import type { StepParts } from '../step-parts.ts';
import { folderIn, placeInside, placeTree, type StepPlace } from './bind-place.ts';
import type { RunMount } from './definition.ts';
import { forwardSsh } from './ssh-forward.ts';

/** What the mounts of a step come from beside the daemon's own storage. */
export interface MountSources {
  readonly secrets: SecretSource;
  readonly ssh: SshSource;
}

/** The mounts of a step, made ready. */
export interface ReadyMounts {
  readonly mounts: readonly MountInput[];
  /** NAME=value that the process gets in addition. */
  readonly env: readonly string[];
}

/** BuildKit's bound of a secret's size in bytes. */
const maxSecretBytes = 500 * 1024;

/** Makes ready what the mounts of a step show; taken away with the step's place. */
export async function readyMounts(
  parts: StepParts,
  place: StepPlace,
  { mounts, sources, signal }: { mounts: readonly RunMount[]; sources: MountSources; signal: AbortSignal },
): Promise<ReadyMounts> {
  const maker = new MountMaker(parts, place, { sources, signal });
  for (const wanted of mounts) await maker.add(wanted);
  return maker;
}

class MountMaker implements ReadyMounts {
  readonly mounts: MountInput[] = [];
  readonly env: string[] = [];
  readonly #parts: StepParts;
  readonly #place: StepPlace;
  readonly #sources: MountSources;
  readonly #signal: AbortSignal;
  #memory: string | undefined;
  #files = 0;

  constructor(
    parts: StepParts,
    place: StepPlace,
    { sources, signal }: { sources: MountSources; signal: AbortSignal },
  ) {
    this.#parts = parts;
    this.#place = place;
    this.#sources = sources;
    this.#signal = signal;
  }

  async add(wanted: RunMount): Promise<void> {
    switch (wanted.kind) {
      case 'bind': {
        const root = await placeTree(this.#parts, this.#place, wanted);
        this.#bind(placeInside(this.#place, root, wanted.path), wanted.target, !wanted.writable);
        return;
      }
      case 'cache':
        return this.#addCache(wanted);
      case 'tmpfs': {
        const size = wanted.size === undefined ? [] : [`size=${wanted.size}`];
        this.mounts.push({ kind: 'tmpfs', target: wanted.target, options: ['exec', 'nosuid', ...size] });
        return;
      }
      case 'secret':
        return this.#addSecret(wanted);
      case 'ssh':
        return this.#addSsh(wanted);
      case 'file': {
        const path = this.#newFile(Buffer.from(wanted.content), { uid: 0, gid: 0, mode: wanted.mode });
        this.#bind(path, wanted.target, true);
        return;
      }
      default:
        wanted satisfies never;
    }
  }

  async #addCache(wanted: RunMount & { kind: 'cache' }): Promise<void> {
    const { tree, path } = wanted;
    const from =
      tree === undefined ? undefined : await placeTree(this.#parts, this.#place, { tree, writable: false });
    const initial = from === undefined ? undefined : placeInside(this.#place, from, path);
    const cache = await this.#parts.cacheMounts.acquire(wanted, { initial, signal: this.#signal });
    this.#place.stack.use(cache);
    this.#bind(cache.path, wanted.target, wanted.readonly);
  }

  async #addSecret(wanted: RunMount & { kind: 'secret' }): Promise<void> {
    const value = await this.#sources.secrets.get(wanted.id, { signal: this.#signal });
    if (value === undefined) {
      if (wanted.required) throw new NotLentError(`secret ${wanted.id}: not found`);
      return;
    }
    if (value.length > maxSecretBytes)
      throw invalid(`secret ${wanted.id}: larger than ${maxSecretBytes} bytes`);
    if (wanted.variable !== undefined) this.env.push(`${wanted.variable}=${value.toString()}`);
    if (wanted.target !== undefined) this.#bind(this.#newFile(value, wanted), wanted.target, true);
  }

  async #addSsh(wanted: RunMount & { kind: 'ssh' }): Promise<void> {
    const { ssh } = this.#sources;
    const { id } = wanted;
    // Also where there is no agent, as BuildKit has it.
    if (!this.env.some((entry) => entry.startsWith('SSH_AUTH_SOCK=')))
      this.env.push(`SSH_AUTH_SOCK=${wanted.target}`);
    if (!(await ssh.has(id, { signal: this.#signal }))) {
      if (wanted.required) throw new NotLentError(`unset ssh forward key ${id}`);
      return;
    }
    const path = this.#newPath();
    this.#place.stack.use(await forwardSsh(path, { ssh, id, access: wanted }));
    this.#bind(path, wanted.target, false);
  }

  #bind(source: string, target: string, readonly: boolean): void {
    this.mounts.push({ kind: 'bind', source, target, readonly: readonly ? 'yes' : 'no' });
  }

  #newFile(content: Buffer, { uid, gid, mode }: { uid: number; gid: number; mode: number }): string {
    const path = this.#newPath();
    writeFileSync(path, content, { mode: 0o600, flag: 'wx' });
    chownSync(path, uid, gid);
    chmodSync(path, mode);
    return path;
  }

  /** A place that is on no disk, whatever the step's folder is on. Each in a folder of its own: paths of sockets are short. */
  #newPath(): string {
    this.#memory ??= this.#mountMemory();
    const folder = join(this.#memory, String(this.#files++));
    mkdirSync(folder, { mode: 0o755 });
    return join(folder, 'f');
  }

  #mountMemory(): string {
    const path = folderIn(this.#place, 'memory');
    mount(
      { type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'noexec', 'mode=0700', 'size=32m'] },
      path,
    );
    this.#place.stack.defer(() => unmount(path, { detach: true }));
    return path;
  }
}
