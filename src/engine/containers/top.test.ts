import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selectProcesses } from './top.ts';

test('selectProcesses: rows of the given pids; the last column keeps its spaces', () => {
  const output = 'UID   PID CMD\nroot    1 /sbin/init x\nroot   12 sh -c  sleep 5\nroot  123 other\n';
  assert.deepEqual(selectProcesses(output, new Set(['12', '99'])), {
    Titles: ['UID', 'PID', 'CMD'],
    Processes: [['root', '12', 'sh -c sleep 5']],
  });
});

test('selectProcesses: without a PID column there is nothing to select by', () => {
  assert.throws(
    () => selectProcesses('USER CMD\nroot x\n', new Set()),
    /Couldn't find PID field in ps output/,
  );
});
