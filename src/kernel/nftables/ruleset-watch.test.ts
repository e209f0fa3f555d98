import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { RulesetWatch } from './ruleset-watch.ts';

function nft(commands: string): void {
  execFileSync('nft', ['-f', '-'], { input: commands });
}

test('RulesetWatch: tells of changes by others, and counts them', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  using watch = new RulesetWatch(resolve);
  const before = watch.generation();
  nft('add table ip watched');
  // The watch does not keep the process alive by itself.
  const alive = setInterval(() => {}, 1000);
  await promise;
  clearInterval(alive);
  assert.equal(watch.generation(), before + 1);
});

test('RulesetWatch: more notices than the socket can hold are still noticed', async () => {
  let calls = 0;
  using watch = new RulesetWatch(() => {
    calls += 1;
  });
  const elements = Array.from({ length: 20_000 }, (_, i) => i + 1).join(', ');
  nft(`table ip many { set s { type inet_service; elements = { ${elements} } } }`);
  const before = watch.generation();
  while (calls === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal(watch.generation(), before);
});
