import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openImages, streamOf } from '#tests/images.ts';
import { KeptBlobs } from './kept-blobs.ts';

test('KeptBlobs: what is kept survives the sweep at the start, until it is released or a week has passed', async () => {
  await using s = await openImages();
  const { digest: wanted } = await s.content.ingest(streamOf(Buffer.from('wanted')));
  const { digest: other } = await s.content.ingest(streamOf(Buffer.from('other')));
  const { digest: old } = await s.content.ingest(streamOf(Buffer.from('old')));
  const kept = new KeptBlobs(s.db);
  kept.keep([wanted, old]);
  s.db.prepare('UPDATE kept_blobs SET since = since - ? WHERE digest = ?').run(8 * 24 * 3600 * 1000, old);
  const stored = async (): Promise<boolean[]> =>
    Promise.all([wanted, other, old].map((digest) => s.content.has(digest)));

  const afterRestart = new KeptBlobs(s.db);
  await s.reopen();
  assert.deepEqual(await stored(), [true, false, false]);
  afterRestart.release([wanted]);
  await s.images.dropBlob(wanted);
  assert.deepEqual(await stored(), [false, false, false]);
});
