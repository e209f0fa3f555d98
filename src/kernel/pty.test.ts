import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { until } from '#tests/until.ts';
import { resizeHeldPtys } from './pty.ts';

test('resizeHeldPtys: programs on a terminal that another process holds get the new size', async () => {
  const line = 'trap "stty size; exit" WINCH; echo ready; while :; do sleep 0.01; done';
  // util-linux's script makes a terminal for the command.
  const child = spawn('script', ['-qec', line, '/dev/null']);
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  await until(() => said.includes('ready'), { what: 'the command runs' });
  assert.equal(resizeHeldPtys(child.pid ?? 0, { height: 12, width: 345 }), true);
  await once(child, 'close');
  assert.match(said, /^12 345\r$/m);
});

test('resizeHeldPtys: a process without a terminal for others, and one that has ended', async () => {
  const child = spawn('sleep', ['100']);
  const size = { height: 1, width: 1 };
  assert.equal(resizeHeldPtys(child.pid ?? 0, size), false);
  child.kill();
  await once(child, 'close');
  assert.equal(resizeHeldPtys(child.pid ?? 0, size), false);
});
