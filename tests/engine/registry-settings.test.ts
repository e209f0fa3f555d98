import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { ImageInspect } from '#/wire/images.ts';
import type { SystemInfo } from '#/wire/system.ts';
import { TestDaemon } from '#tests/daemon.ts';
import { tarOf } from '#tests/images.ts';
import { pullError } from '#tests/pull-client.ts';
import { startRegistry, type TestRegistry } from '#tests/registry-server.ts';
import { RemoteImages } from '#tests/remote-images.ts';
import { valueOf } from '#tests/test-containers.ts';
import { until } from '#tests/until.ts';

let daemon: TestDaemon;
let registry: TestRegistry;

before(async () => {
  daemon = await TestDaemon.start(['--max-download-attempts=1']);
  registry = await startRegistry();
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

async function publish(repository: string): Promise<string> {
  const made = await new RemoteImages(registry.host, repository).image({
    layers: [await tarOf({ name: repository })],
    tag: '1',
  });
  return made.config.digest;
}

async function idOf(name: string): Promise<string> {
  return (valueOf(await daemon.ask('GET', `/images/${name}/json`), 200) as ImageInspect).Id;
}

test('daemon.json: images of Docker Hub come from a mirror as soon as a reload names one', async () => {
  const id = await publish('library/mirrored');
  assert.match((await pullError(daemon, 'mirrored:1')) ?? '', /registry-1\.docker\.io/);
  writeFileSync(daemon.configFile, JSON.stringify({ 'registry-mirrors': [`http://${registry.host}`] }));
  process.kill(daemon.pid, 'SIGHUP');
  const mirrors = async (): Promise<unknown> =>
    (valueOf(await daemon.ask('GET', '/info'), 200) as SystemInfo).RegistryConfig.Mirrors;
  await until(async () => (await mirrors()) !== null, { what: 'the mirror in info' });
  assert.deepEqual(await mirrors(), [`http://${registry.host}/`]);
  assert.equal(await pullError(daemon, 'mirrored:1'), undefined);
  assert.equal(await idOf('mirrored:1'), id);
});

test('daemon.json: any registry can have mirrors and other names', async () => {
  const id = await publish('team/renamed');
  const registries = {
    'reg.example': {
      mirrors: [`http://${registry.host}`],
      rewrites: [{ from: '^old/(.*)$', to: 'team/$1' }],
    },
  };
  await daemon.down();
  writeFileSync(daemon.configFile, JSON.stringify({ registries }));
  await daemon.up();
  assert.equal(await pullError(daemon, 'reg.example/old/renamed:1'), undefined);
  assert.equal(await idOf('reg.example/old/renamed:1'), id);
});
