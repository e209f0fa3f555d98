import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { Database } from '#/state/db.ts';
import { BlobSources } from './blob-sources.ts';

test('BlobSources: tells other repositories of the same registry', () => {
  using db = new Database(':memory:');
  const sources = new BlobSources(db);
  const blob = digestOf('x');
  sources.note(blob, { domain: 'a:1', path: 'one' });
  sources.note(blob, { domain: 'a:1', path: 'two' });
  sources.note(blob, { domain: 'b', path: 'three' });
  assert.deepEqual(sources.others(blob, { domain: 'a:1', path: 'one' }), ['two']);
  assert.deepEqual(sources.others(blob, { domain: 'a:1', path: 'new' }).toSorted(), ['one', 'two']);
  assert.deepEqual(sources.others(digestOf('y'), { domain: 'a:1', path: 'new' }), []);
  sources.forget(blob, { domain: 'a:1', path: 'two' });
  assert.deepEqual(sources.others(blob, { domain: 'a:1', path: 'one' }), []);
});

test('BlobSources: forgets the oldest beyond its bound', () => {
  using db = new Database(':memory:');
  const sources = new BlobSources(db, { maxRows: 20 });
  for (let i = 0; i < 100; i += 1) sources.note(digestOf(String(i)), { domain: 'a', path: 'p' });
  const rows = Number(db.prepare('SELECT count(*) AS n FROM blob_sources').get()?.['n']);
  assert.ok(rows <= 20 && rows >= 10, String(rows));
});
