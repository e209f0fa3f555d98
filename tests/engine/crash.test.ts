import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Database } from '#/state/db.ts';
import { CrashClient } from '#tests/crash-client.ts';
import { TestDaemon } from '#tests/daemon.ts';
import { leakCheck } from '#tests/leak-check.ts';
import { Random } from '#tests/random.ts';
import { TestContainers } from '#tests/test-containers.ts';

/** Rounds of the crash test end when so many requests were answered, or when the time is up. */
const enoughRequests = 600;
const fewestCrashes = 20;
/** Milliseconds. */
const longest = 75_000;
const clients = 4;
/** The daemon dies at most so many milliseconds after it came up. */
const longestLife = 1500;

const seed = Number(process.env['SKIFF_TEST_SEED'] ?? Date.now() % 1_000_000);

test(`crash: killed at random points, the daemon loses nothing and leaves nothing (SKIFF_TEST_SEED=${seed})`, async (t) => {
  await using daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  const containers = new TestContainers(daemon);
  await containers.runToEnd({ cmd: 'true' });
  const rows = await rowsOf(daemon);
  const random = new Random(seed);
  let crashes = 0;
  let requests = 0;
  await leakCheck(daemon, async () => {
    const workers = Array.from(
      { length: clients },
      (_, index) =>
        new CrashClient(daemon, { random: new Random(random.below(2 ** 32)), prefix: `c${index}` }),
    );
    const start = performance.now();
    do {
      const work = Promise.all(workers.map((worker) => worker.work()));
      // A worker that fails says why before the daemon dies.
      await Promise.race([work, sleep(random.below(longestLife))]);
      await daemon.down('SIGKILL');
      await work;
      crashes += 1;
      await daemon.up();
      await Promise.all(workers.map((worker) => worker.check()));
      requests = workers.reduce((sum, { answered }) => sum + answered, 0);
    } while ((requests < enoughRequests || crashes < fewestCrashes) && performance.now() - start < longest);
    for (const worker of workers) await worker.cleanUp();
    assert.deepEqual(await containers.list(), []);
  });
  t.diagnostic(`${requests} requests, ${crashes} crashes`);
  assert.deepEqual(await rowsOf(daemon), rows);
});

/** How many rows each table has. */
async function rowsOf(daemon: TestDaemon): Promise<Record<string, number>> {
  await daemon.down();
  const counts: Record<string, number> = {};
  {
    using db = new Database(join(daemon.dir, 'data/state.db'));
    const tables = db.prepare(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    );
    for (const { name } of tables.all()) {
      counts[String(name)] = Number(db.prepare(`SELECT count(*) AS n FROM "${String(name)}"`).get()?.['n']);
    }
  }
  await daemon.up();
  return counts;
}
