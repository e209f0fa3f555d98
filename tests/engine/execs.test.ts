import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';
import { TestContainers } from '#tests/test-containers.ts';

test('exec: a container has a thousand that wait for their start at most, each of its own', async () => {
  await using daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  const containers = new TestContainers(daemon);
  const [id, other] = [await containers.run(), await containers.run()];
  const create = async (container: string): Promise<number> =>
    (await daemon.ask('POST', `/containers/${container}/exec`, { Cmd: ['true'] })).status;
  for (let round = 0; round < 10; round += 1)
    await Promise.all(Array.from({ length: 100 }, async () => assert.equal(await create(id), 201)));
  assert.deepEqual([await create(id), await create(other)], [409, 201]);
});
