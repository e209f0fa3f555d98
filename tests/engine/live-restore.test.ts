import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';
import { leakCheck } from '#tests/leak-check.ts';
import { TestContainers } from '#tests/test-containers.ts';

test('live restore: containers, their output and their published ports outlive the daemon', async () => {
  await using daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  const containers = new TestContainers(daemon);
  await containers.runToEnd({ cmd: 'true' });
  await leakCheck(daemon, async () => {
    const id = await containers.run({ cmd: 'echo a; sleep 1000' });
    await containers.says(id, 'a');
    assert.deepEqual(await containers.exec(id, 'echo hi; exit 3'), { exitCode: 3, output: 'hi\n' });
    await containers.remove(id);
  });
});
