import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

test('messages: are what the .proto files say', () => {
  const script = join(import.meta.dirname, '../../../scripts/make-messages');
  const { status, stdout, stderr } = spawnSync(script, ['--check'], { encoding: 'utf8' });
  assert.equal(status, 0, `${stdout}${stderr}`);
});
