import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';
import { TestContainers, valueOf } from '#tests/test-containers.ts';

let daemon: TestDaemon;
let containers: TestContainers;

before(async () => {
  daemon = await TestDaemon.start(['--storage-driver', 'overlay2']);
  await daemon.loadBusybox();
  containers = new TestContainers(daemon);
});

after(() => daemon[Symbol.asyncDispose]());

/** The lines of `docker diff`, sorted by path. */
async function diff(id: string): Promise<string[]> {
  const changes = valueOf(await daemon.ask('GET', `/containers/${id}/changes`), 200);
  return ((changes ?? []) as { Path: string; Kind: 0 | 1 | 2 }[])
    .toSorted((a, b) => (a.Path < b.Path ? -1 : 1))
    .map(({ Path, Kind }) => `${'CAD'[Kind]} ${Path}`);
}

test('changes: a container that has done nothing has changed nothing', async () => {
  const id = await containers.create({ cmd: 'true' });
  assert.deepEqual(await diff(id), []);
  await containers.post(`${id}/start`, 204);
  await containers.exitCode(id);
  assert.deepEqual(await diff(id), []);
});

test('changes: additions, changes and deletions with the directories that they are in, while it runs and after', async () => {
  const cmd = [
    'echo hi >/root/new; mkdir -p /a/b/c; echo x >/a/b/c/f; chmod 700 /tmp; mv /etc/group /etc/group2',
    'echo y >/data/f; ln -s /x /lnk; rm /bin/true; echo done; sleep 1000',
  ].join('; ');
  const id = await containers.run({ cmd, host: { Binds: ['vol:/data', '/tmp:/mnt/deep/x'] } });
  await containers.says(id, 'done');
  const expected = [
    'A /a',
    'A /a/b',
    'A /a/b/c',
    'A /a/b/c/f',
    'C /bin',
    'D /bin/true',
    'A /data',
    'C /etc',
    'D /etc/group',
    'A /etc/group2',
    'A /lnk',
    'A /mnt',
    'A /mnt/deep',
    'A /mnt/deep/x',
    'C /root',
    'A /root/new',
    'C /tmp',
  ];
  assert.deepEqual(await diff(id), expected);
  await containers.post(`${id}/kill`, 204);
  await containers.exitCode(id);
  assert.deepEqual(await diff(id), expected);
});

test('changes: can be asked for while the container changes things', async () => {
  const cmd = 'while :; do mkdir -p /w/x/y; echo 1 >/w/x/y/f; rm -rf /w; done';
  const id = await containers.run({ cmd });
  for (let round = 0; round < 200; round += 1) await diff(id);
  await containers.remove(id);
  assert.deepEqual(valueOf(await daemon.ask('GET', `/containers/${id}/changes`), 404), {
    message: `No such container: ${id}`,
  });
});

test('changes: the driver vfs does not know them', async () => {
  await using plain = await TestDaemon.start(['--storage-driver', 'vfs']);
  await plain.loadBusybox();
  const id = await new TestContainers(plain).create();
  assert.deepEqual(valueOf(await plain.ask('GET', `/containers/${id}/changes`), 501), {
    message: 'listing the changes of a container is not implemented for the storage driver "vfs"',
  });
});
