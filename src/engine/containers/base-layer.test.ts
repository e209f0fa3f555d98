import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { scratchDir } from '#tests/scratch-dir.ts';
import { makeBaseLayer } from './base-layer.ts';

test('makeBaseLayer: what is there is left alone', () => {
  using scratch = scratchDir();
  const root = scratch.join('base');
  makeBaseLayer(root);
  const hosts = statSync(scratch.join('base/etc/hosts'));
  makeBaseLayer(root);
  const again = statSync(scratch.join('base/etc/hosts'));
  assert.deepEqual([again.ino, again.mtimeMs, again.size], [hosts.ino, hosts.mtimeMs, 0]);
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).toSorted();
  assert.deepEqual(names, ['dev', 'etc', 'etc/hostname', 'etc/hosts', 'etc/resolv.conf', 'proc', 'sys']);
});
