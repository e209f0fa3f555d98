import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { type Digest, digestOf } from '#/oci/digest.ts';
import { pieces } from '#/tar/tar-samples.ts';
import { type ScratchDir, scratchDir } from '#tests/scratch-dir.ts';
import { until } from '#tests/until.ts';
import { ContentStore } from './content-store.ts';

async function stored(scratch: ScratchDir, bytes: Uint8Array): Promise<Digest> {
  const content = await ContentStore.open({ root: scratch.path });
  const { digest } = await content.ingest(pieces(bytes));
  await content.flush();
  return digest;
}

const large = randomBytes(3_000_000);
const settled = (scratch: ScratchDir): Promise<void> =>
  until(() => markers(scratch).length === 0, { what: 'the markers to go' });
const markers = (scratch: ScratchDir): string[] => readdirSync(scratch.join('settling'));

test('ContentStore: large blobs are marked until they are on the disk, small ones are not', async () => {
  using scratch = scratchDir();
  await stored(scratch, Buffer.from('small'));
  assert.deepEqual(markers(scratch), []);
  await stored(scratch, large);
  await settled(scratch);
});

test('ContentStore: after a power cut, what was still on its way to the disk is kept only if it is whole', async () => {
  using scratch = scratchDir();
  const whole = await stored(scratch, large);
  const torn = await stored(scratch, large.subarray(1));
  await settled(scratch);
  truncateSync(scratch.join('blobs', torn.replace(':', '/')), 1_000_000);
  const gone = digestOf('removed meanwhile');
  for (const digest of [whole, torn, gone]) {
    writeFileSync(scratch.join('settling', digest.replace(':', '-')), 'an earlier boot');
  }
  const content = await ContentStore.open({ root: scratch.path });
  assert.deepEqual([await content.has(whole), await content.has(torn)], [true, false]);
  assert.deepEqual(markers(scratch), []);
});

test('ContentStore: a restart without a power cut goes on where the last daemon stopped', async () => {
  using scratch = scratchDir();
  const digest = await stored(scratch, large);
  await settled(scratch);
  const marker = scratch.join('settling', digest.replace(':', '-'));
  writeFileSync(marker, readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'));
  const content = await ContentStore.open({ root: scratch.path });
  assert.equal(await content.has(digest), true);
  await until(() => !existsSync(marker), { what: 'the marker to go' });
});
