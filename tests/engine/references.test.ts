import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ImageInspect } from '#/wire/images.ts';
import { TestDaemon } from '#tests/daemon.ts';
import type { KeptImage } from '#tests/faulty-registry/content.ts';
import { type FaultyRegistry, openFaultyRegistry } from '#tests/faulty-registry.ts';
import { tarOf } from '#tests/images.ts';
import { pullError } from '#tests/pull-client.ts';
import { valueOf } from '#tests/test-containers.ts';

let daemon: TestDaemon;
let registry: FaultyRegistry;

before(async () => {
  registry = await openFaultyRegistry();
  daemon = await TestDaemon.start(['--max-download-attempts=1']);
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

async function publish(text: string, tag?: string): Promise<KeptImage> {
  return registry.content.addImage('app', [await tarOf({ text })], tag === undefined ? {} : { tag });
}

async function inspect(name: string): Promise<ImageInspect> {
  return valueOf(await daemon.ask('GET', `/images/${name}/json`), 200) as ImageInspect;
}

test('references: a digest decides over the tag beside it, at the registry and here', async () => {
  const wanted = await publish('wanted');
  const tagged = await publish('tagged', '1');
  const name = `${registry.host}/app`;
  const both = `${name}:1@${wanted.manifest.digest}`;
  assert.equal(await pullError(daemon, both), undefined);
  const image = await inspect(`${name}@${wanted.manifest.digest}`);
  assert.deepEqual([image.Id, image.RepoTags], [wanted.config.digest, []]);
  // The tag means the other one, if anything.
  assert.equal((await daemon.ask('GET', `/images/${name}:1/json`)).status, 404);
  assert.equal(await pullError(daemon, `${name}:1`), undefined);
  assert.equal((await inspect(`${name}:1`)).Id, tagged.config.digest);
  assert.equal((await inspect(both)).Id, wanted.config.digest);
  const absent = `${name}:1@sha256:${'0'.repeat(64)}`;
  assert.equal((await daemon.ask('GET', `/images/${absent}/json`)).status, 404);
  assert.match((await pullError(daemon, absent)) ?? '', /manifest unknown|not found/);
  const { value } = await daemon.json('POST', '/containers/create', { Image: absent, Cmd: ['x'] });
  assert.match((value as { message: string }).message, /No such image/);
  for (const id of [wanted.config.digest, tagged.config.digest]) {
    assert.equal((await daemon.ask('DELETE', `/images/${id}?force=1`)).status, 200);
  }
});

test('references: a tag that moved at the registry moves here, its old image stays under its digest', async () => {
  const name = `${registry.host}/app`;
  const old = await publish('old', 'moving');
  assert.equal(await pullError(daemon, `${name}:moving`), undefined);
  const young = await publish('young', 'moving');
  assert.equal(await pullError(daemon, `${name}:moving`), undefined);
  assert.equal((await inspect(`${name}:moving`)).Id, young.config.digest);
  assert.deepEqual((await inspect(old.config.digest)).RepoTags, []);
  assert.equal((await inspect(`${name}@${old.manifest.digest}`)).Id, old.config.digest);
  for (const { config } of [old, young]) {
    assert.equal((await daemon.ask('DELETE', `/images/${config.digest}?force=1`)).status, 200);
  }
});

test('references: short names mean Docker Hub and nothing else; what cannot be a name is refused before anything is asked', async () => {
  for (const name of ['app', 'me/app', 'docker.io/app']) {
    assert.match((await pullError(daemon, `${name}:1`)) ?? '', /registry-1\.docker\.io/, name);
  }
  const before = registry.requests.length;
  for (const name of [
    `${registry.host}/App`,
    `${registry.host}/../app`,
    `${registry.host}/a//b`,
    `${registry.host}/app:-1`,
    `${registry.host}/app@sha256:00`,
    `${registry.host}/app@sha256:../../x`,
    `${registry.host}/${'a'.repeat(256)}`,
    `${registry.host}/a b`,
    `${registry.host}/app?x`,
    '',
    ':1',
  ]) {
    assert.match((await pullError(daemon, name)) ?? '', /invalid|unsupported|required|empty|must/, name);
  }
  assert.equal(registry.requests.length, before);
});
