import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';
import { leakCheck } from '#tests/leak-check.ts';
import { TestContainers } from '#tests/test-containers.ts';

let daemon: TestDaemon;
let containers: TestContainers;

before(async () => {
  daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  containers = new TestContainers(daemon);
  const cmd =
    'mkdir -p /v/a/b; echo inside >/v/a/b/file; echo outside >/v/secret; ln -s /etc /v/link; ln -s a/b /v/short';
  await containers.runToEnd({ cmd, host: { Binds: ['vol:/v'] } });
});

after(() => daemon[Symbol.asyncDispose]());

function part(subpath: string, mount: { Target?: string; ReadOnly?: boolean } = {}): Record<string, unknown> {
  const volume = { Type: 'volume', Source: 'vol', VolumeOptions: { Subpath: subpath } };
  return { Mounts: [{ ...volume, Target: '/part/', ...mount }] };
}

test('mounts: a container sees a part of a volume, directory or file, and nothing else of it', async () => {
  await leakCheck(daemon, async () => {
    const said = async (cmd: string, host: Record<string, unknown>): Promise<string> =>
      (await containers.runToEnd({ cmd, host })).output;
    assert.equal(
      await said('cat /part/file; ls /part/.. | grep -c secret; echo more >/part/new', part('a/b')),
      'inside\n0\n',
    );
    assert.equal(await said('cat /part', part('a/b/file', { Target: '/part' })), 'inside\n');
    assert.equal(await said('ls /part', part('short')), 'file\nnew\n');
    assert.match(await said('echo x >/part/y', part('a/b', { ReadOnly: true })), /Read-only file system/);
  });
});

test('mounts: a subpath that is missing or leads out of the volume is refused at the start', async () => {
  await leakCheck(daemon, async () => {
    const volume = join(daemon.dir, 'data/volumes/vol/_data');
    const missing = await containers.create({ host: part('a/none') });
    assert.deepEqual(await containers.post(`${missing}/start`, 404), {
      message: `cannot access path ${volume}/a/none: lstat ${volume}/a/none: no such file or directory`,
    });
    const outside = await containers.create({ host: part('link') });
    assert.deepEqual(await containers.post(`${outside}/start`, 500), {
      message: `path concatenation escapes the base directory, base: ${volume}, subpath: link`,
    });
    for (const id of [missing, outside]) await containers.remove(id);
  });
});
