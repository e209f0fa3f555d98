import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { scratchDir } from '#tests/scratch-dir.ts';
import { WriteLog } from './write-log.ts';

test('WriteLog: who waits at the same time shares a flush, who comes during one gets another', async () => {
  using scratch = scratchDir();
  writeFileSync(scratch.join('db-wal'), 'log');
  await using log = new WriteLog(scratch.join('db'));
  const first = log.flush();
  assert.equal(log.flush(), first);
  await first;
  const second = log.flush();
  assert.notEqual(second, first);
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  const third = log.flush();
  await Promise.all([second, third]);
  await log.flush();
});

test('WriteLog: a flush that fails is heard of, and the next one is tried', async () => {
  using scratch = scratchDir();
  await using log = new WriteLog(scratch.join('none'));
  await assert.rejects(log.flush(), { code: 'ENOENT' });
  writeFileSync(scratch.join('none-wal'), 'log');
  await log.flush();
});
