import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { tarOf } from '#tests/images.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import type { GrowingFile } from '../content/partial-blob.ts';
import type { UnpackJob } from './unpack-blob.ts';
import { UnpackThreads } from './unpack-threads.ts';

const size = 2 << 20;

/** An archive that comes in parts, and where it is unpacked to. */
class Coming implements GrowingFile {
  readonly path: string;
  readonly later: string;
  readonly job: UnpackJob;
  available = 0;
  ended = false;
  readonly #content: Buffer;
  readonly #archive: Buffer;
  readonly #listeners = new Set<() => void>();

  private constructor(place: string, { content, archive }: { content: Buffer; archive: Buffer }) {
    this.path = `${place}.tar`;
    this.later = this.path;
    this.#content = content;
    this.#archive = archive;
    mkdirSync(place);
    writeFileSync(this.path, '');
    const target = { root: place, whiteouts: 'apply' } as const;
    this.job = { path: this.path, digest: digestOf(archive), target };
  }

  static async of(place: string): Promise<Coming> {
    const content = randomBytes(size);
    return new Coming(place, { content, archive: await tarOf({ file: content }) });
  }

  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** So many more bytes come. */
  grow(bytes: number = this.#archive.length): void {
    const more = this.#archive.subarray(this.available, this.available + bytes);
    appendFileSync(this.path, more);
    this.available += more.length;
    this.ended = this.available === this.#archive.length;
    for (const listener of this.#listeners) listener();
  }

  get isUnpacked(): boolean {
    return readFileSync(`${this.job.target.root}/file`).equals(this.#content);
  }
}

test('UnpackThreads: downloads that stall, or have not begun, do not keep others from being unpacked', async () => {
  using dir = scratchDir();
  await using threads = new UnpackThreads({ limit: 1, stallTime: 5 });
  const all = await Promise.all(['stalls', 'waits', 'comes'].map((name) => Coming.of(dir.join(name))));
  const [stalls, waits, comes] = all as [Coming, Coming, Coming];
  stalls.grow(size / 2);
  const unpack = (file: Coming): Promise<unknown> => threads.unpack(file.job, size, { file });
  const work = [unpack(stalls), unpack(waits)];
  comes.grow();
  await unpack(comes);
  assert.ok(comes.isUnpacked);
  for (const file of [stalls, waits]) file.grow();
  await Promise.all(work);
  assert.ok(stalls.isUnpacked && waits.isUnpacked);
});

test('UnpackThreads: who waits for a thread, or for the first byte, can leave', async () => {
  using dir = scratchDir();
  await using threads = new UnpackThreads({ limit: 1, stallTime: 60_000 });
  const all = await Promise.all(['holds', 'waits', 'empty'].map((name) => Coming.of(dir.join(name))));
  const [holds, waits, empty] = all as [Coming, Coming, Coming];
  holds.grow(size / 2);
  const held = threads.unpack(holds.job, size, { file: holds });
  waits.grow();
  const leave = new AbortController();
  const { signal } = leave;
  const left = [waits, empty].map((file) => threads.unpack(file.job, size, { file, signal }));
  leave.abort(new Error('left'));
  for (const work of left) await assert.rejects(work, /left/);
  holds.grow();
  await held;
});
