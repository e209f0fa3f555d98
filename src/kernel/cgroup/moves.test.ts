import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { detectCgroups } from './layout.ts';
import { CgroupMoves } from './moves.ts';

test('CgroupMoves: expecting a move moves nothing and may be repeated', async () => {
  const before = readFileSync('/proc/self/cgroup', 'utf8');
  const errors: Error[] = [];
  const moves = new CgroupMoves(detectCgroups(), (error) => errors.push(error));
  for (let round = 0; round < 3; round += 1) {
    moves.expect();
    moves.expect();
    await sleep(30);
  }
  assert.deepEqual(errors, []);
  assert.equal(readFileSync('/proc/self/cgroup', 'utf8'), before);
});

test('CgroupMoves: where the own group cannot be seen there is nothing to do', () => {
  const nothing = { mode: 'v2', v1: new Map(), v2: '/nonexistent', v2Controllers: [] } as const;
  new CgroupMoves(nothing, (error) => assert.fail(error)).expect();
});
