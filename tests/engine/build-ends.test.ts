import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Database } from '#/state/db.ts';
import { buildToEnd, startBuild } from '#tests/build-client.ts';
import { TestDaemon } from '#tests/daemon.ts';
import { leakCheck } from '#tests/leak-check.ts';

let daemon: TestDaemon;

before(async () => {
  daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  // What is opened once only is opened now.
  await buildToEnd(daemon, { Dockerfile: 'FROM busybox\nRUN true' });
  await prune();
});

after(() => daemon[Symbol.asyncDispose]());

async function prune(): Promise<void> {
  assert.equal((await daemon.ask('POST', '/build/prune?all=true')).status, 200);
  assert.equal((await daemon.ask('POST', '/images/prune?filters={"dangling":["true"]}')).status, 200);
  assert.equal((await daemon.ask('POST', '/build/prune?all=true')).status, 200);
}

const slow = {
  Dockerfile: [
    'FROM busybox',
    'COPY file /file',
    'RUN echo first >/first',
    'RUN --mount=type=cache,target=/cache --mount=type=tmpfs,target=/tmp/deep/er echo up; sleep 1000',
  ].join('\n'),
  file: 'content',
};
const quick = { ...slow, Dockerfile: slow.Dockerfile.replace('; sleep 1000', '') };

test('build: a client that leaves ends its steps, and nothing is left', async () => {
  await leakCheck(daemon, async () => {
    const build = await startBuild(daemon, slow);
    await build.says('up\n');
    build.leave();
    await build.ended;
    await prune();
  });
});

test('build: a daemon that is killed finds nothing of it when it comes back, and its cache is whole', async () => {
  await leakCheck(daemon, async () => {
    const build = await startBuild(daemon, slow);
    await build.says('up\n');
    await daemon.down('SIGKILL');
    await build.ended;
    await daemon.up();
    assert.deepEqual(readdirSync(join(daemon.dir, 'run/builds')), []);
    const said = await buildToEnd(daemon, quick);
    assert.match(said, /Step 3\/4 : RUN echo first >\/first\n ---> Using cache/);
    assert.match(said, /up\n[\s\S]*Successfully built/);
    await prune();
  });
  await daemon.down();
  using db = new Database(join(daemon.dir, 'data/state.db'));
  assert.deepEqual(db.prepare(`SELECT name FROM snapshots WHERE name LIKE 'build-%'`).all(), []);
  await daemon.up();
});

test('build: killed at random moments, the daemon comes back with a cache that works', async () => {
  await leakCheck(daemon, async () => {
    const files = {
      Dockerfile: ['FROM busybox', ...Array.from({ length: 30 }, (_, i) => `RUN echo ${i} >/f${i}`)].join(
        '\n',
      ),
    };
    for (let round = 1; round <= 6; round += 1) {
      const build = await startBuild(daemon, files, 'nocache=true');
      await build.says(`Step ${round * 4}/31`);
      await daemon.down('SIGKILL');
      await build.ended;
      await daemon.up();
      assert.match(await buildToEnd(daemon, files), /Successfully built/);
    }
    await prune();
  });
});

test('build: a failing step, a wrong Dockerfile and a cut upload leave nothing', async () => {
  await leakCheck(daemon, async () => {
    assert.match(
      await buildToEnd(daemon, { Dockerfile: 'FROM busybox\nRUN echo said; exit 9' }),
      /said\n[\s\S]*ERROR .*returned a non-zero code: 9|ERROR .*exit code: 9/,
    );
    assert.match(
      await buildToEnd(daemon, { Dockerfile: 'FROM busybox\nNONSENSE' }),
      /ERROR|unknown instruction/i,
    );
    assert.match(await buildToEnd(daemon, { other: '' }), /Dockerfile/);
    await prune();
  });
});
