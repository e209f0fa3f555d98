import assert from 'node:assert/strict';
import { test } from 'node:test';
import { siblingModule } from './sibling-module.ts';

test('siblingModule: keeps the folder and the extension of the caller, whatever the folder is called', () => {
  for (const [caller, expected] of [
    ['file:///srv/skiff/src/storage/a.ts', 'file:///srv/skiff/src/storage/worker.ts'],
    ['file:///srv/skiff/dist/daemon/main.js', 'file:///srv/skiff/dist/daemon/worker.js'],
    ['file:///srv/a%20b.d/dist/main.js', 'file:///srv/a%20b.d/dist/worker.js'],
  ] as const) {
    assert.equal(siblingModule('worker', caller).href, expected);
  }
});
