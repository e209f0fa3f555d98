import assert from 'node:assert/strict';
import { test } from 'node:test';
import { progressBar } from './progress-bar.ts';

test('progressBar: as Docker draws it', () => {
  assert.equal(progressBar({ current: 32768, total: 1107579 }), `[=>${' '.repeat(49)}]  32.77kB/1.108MB`);
  assert.equal(progressBar({ current: 33280, total: 3000000 }), `[>${' '.repeat(50)}]  33.28kB/3MB`);
  assert.equal(progressBar({ current: 117, total: 117 }), `[${'='.repeat(50)}>]     117B/117B`);
  assert.equal(progressBar({ current: 3001856, total: 3000000 }), `[${'='.repeat(50)}>]  3.002MB`);
  assert.equal(progressBar({ current: 5, total: 0 }), '      5B');
  assert.equal(progressBar({ current: 0, total: 0 }), '');
});
