import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { buildToEnd } from '#tests/build-client.ts';
import { TestDaemon } from '#tests/daemon.ts';
import { leakCheck } from '#tests/leak-check.ts';

const dataSize = 48 << 20;

let daemon: TestDaemon;

before(async () => {
  daemon = await TestDaemon.start([], { dataSize });
  await daemon.loadBusybox();
  await buildToEnd(daemon, { Dockerfile: 'FROM busybox\nCOPY Dockerfile /\nRUN true' });
  await prune();
});

after(() => daemon[Symbol.asyncDispose]());

async function prune(): Promise<void> {
  assert.equal((await daemon.ask('POST', '/images/prune?filters={"dangling":["true"]}')).status, 200);
  assert.equal((await daemon.ask('POST', '/build/prune?all=true')).status, 200);
}

test('build: a step that fills the disk fails, leaves nothing, and the next build works', async () => {
  await leakCheck(daemon, async () => {
    const said = await buildToEnd(daemon, {
      Dockerfile: 'FROM busybox\nRUN head -c 100000000 /dev/zero >/large || { ls -l /large; exit 5; }',
    });
    assert.match(said, /head: standard output: (I\/O error|No space left on device)/);
    assert.match(said, /ERROR/);
    assert.match(
      await buildToEnd(daemon, { Dockerfile: 'FROM busybox\nRUN echo fine' }),
      /fine\n[\s\S]*Successfully built/,
    );
    await prune();
  });
});

test('build: a copy for which there is no room says so and leaves nothing', async () => {
  await leakCheck(daemon, async () => {
    // The context fits, but not a copy of a copy of a copy of it.
    const said = await buildToEnd(daemon, {
      Dockerfile:
        'FROM busybox AS a\nCOPY big /1\nFROM busybox AS b\nCOPY --from=a /1 /2\nFROM busybox\nCOPY --from=b /2 /3\nCOPY --from=b /2 /4',
      big: 'x'.repeat(11 << 20),
    });
    assert.match(said, /ERROR .*(no space left on device|ENOSPC)/i);
    assert.match(
      await buildToEnd(daemon, { Dockerfile: 'FROM busybox\nRUN echo fine' }),
      /Successfully built/,
    );
    await prune();
  });
});
