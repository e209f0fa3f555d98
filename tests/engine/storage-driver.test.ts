import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { ImageInspect } from '#/wire/images.ts';
import { TestDaemon } from '#tests/daemon.ts';
import { openFaultyRegistry } from '#tests/faulty-registry.ts';
import { tarOf } from '#tests/images.ts';
import { holdingsOf, sameAs } from '#tests/leak-check.ts';
import { pullError } from '#tests/pull-client.ts';
import { TestContainers, valueOf } from '#tests/test-containers.ts';

type Driver = 'overlay2' | 'vfs';

/** Starts the daemon again, with another storage driver. */
async function change(daemon: TestDaemon, driver: Driver, more: object = {}): Promise<void> {
  await daemon.down();
  writeFileSync(daemon.configFile, JSON.stringify({ 'storage-driver': driver, ...more }));
  await daemon.up();
}

for (const [first, second] of [
  ['overlay2', 'vfs'],
  ['vfs', 'overlay2'],
] as const) {
  test(`storage-driver: from ${first} to ${second}, images run again, containers say what they need`, async () => {
    await using daemon = await TestDaemon.start();
    const containers = new TestContainers(daemon);
    /** Starts a container that writes a line more each time, and what it has then. */
    const lines = async (id: string): Promise<number> => {
      await containers.post(`${id}/start`, 204);
      return containers.exitCode(id);
    };
    await change(daemon, first);
    await daemon.loadBusybox();
    const cmd = 'echo x >> /lines; exit $(wc -l < /lines)';
    const old = await containers.create({ name: 'old', cmd });
    assert.equal(await lines(old), 1);

    await change(daemon, second);
    const here = await containers.create({ name: 'here', cmd });
    assert.equal(await lines(here), 1);
    const refused = await containers.post(`${old}/start`, 409);
    assert.match(
      (refused as { message: string }).message,
      new RegExp(`container "old" was created with the storage driver "${first}".*--storage-driver=${first}`),
    );
    // All else still works with it.
    const inspected = valueOf(await daemon.ask('GET', `/containers/${old}/json?size=1`), 200);
    assert.equal((inspected as { GraphDriver: { Name: string } }).GraphDriver.Name, first);
    for (const path of ['/containers/json?all=1&size=1', '/system/df']) {
      valueOf(await daemon.ask('GET', path), 200);
    }
    valueOf(await daemon.ask('GET', `/containers/${old}/changes`), 409);
    await containers.remove(here);

    await change(daemon, first);
    assert.equal(await lines(old), 2);

    // What is removed while another driver is in use is gone when the first one comes back.
    await change(daemon, second);
    assert.deepEqual(valueOf(await daemon.ask('POST', '/containers/prune'), 200), {
      ContainersDeleted: [old],
      SpaceReclaimed: 0,
    });
    assert.equal((await daemon.ask('DELETE', '/images/busybox')).status, 200);
    await change(daemon, first);
    const left = holdingsOf(daemon).data.filter((path) =>
      /snapshots\/(overlay2|vfs)\/\d+|blobs\/sha256\/./.test(path),
    );
    assert.deepEqual(
      left.filter((path) => path.includes(`/${first}/`) || path.includes('/blobs/')),
      [],
    );
    await change(daemon, second);
    assert.deepEqual(
      holdingsOf(daemon).data.filter((path) => /snapshots\/(overlay2|vfs)\/\d+/.test(path)),
      [],
    );
  });
}

test('storage-driver: an image of which only unpacked layers are kept says so, until it is pulled again', async () => {
  await using registry = await openFaultyRegistry();
  const made = registry.content.addImage('app', [await tarOf({ one: '1' }), await tarOf({ two: '2' })], {
    tag: '1',
  });
  const name = `${registry.host}/app:1`;
  await using daemon = await TestDaemon.start();
  const containers = new TestContainers(daemon);
  const policy = { 'image-store-policy': 'unpacked' };
  await change(daemon, 'overlay2', policy);
  assert.equal(await pullError(daemon, name), undefined);
  await change(daemon, 'vfs', policy);
  const clean = holdingsOf(daemon);
  const wish = { name: 'now', image: name, cmd: ['x'] };
  const refused = valueOf(await containers.tryCreate(wish), 409) as { message: string };
  assert.match(refused.message, /cannot be used with the storage driver "vfs"/);
  await sameAs(daemon, clean);
  assert.equal(await pullError(daemon, name), undefined);
  await containers.remove(await containers.create(wish));
  const { Id } = valueOf(await daemon.ask('GET', `/images/${name}/json`), 200) as ImageInspect;
  assert.equal(Id, made.config.digest);
  assert.equal((await daemon.ask('DELETE', `/images/${name}`)).status, 200);
});
