import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { after, afterEach, before, test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';
import type { Fault } from '#tests/faulty-registry/faults.ts';
import { type FaultyRegistry, openFaultyRegistry } from '#tests/faulty-registry.ts';
import { tarOf } from '#tests/images.ts';
import { type Holdings, holdingsOf, sameAs } from '#tests/leak-check.ts';
import { pullError } from '#tests/pull-client.ts';

let daemon: TestDaemon;
let registry: FaultyRegistry;
/** Asked in this order, before the registry. */
let mirrors: [FaultyRegistry, FaultyRegistry];
let clean: Holdings;

before(async () => {
  registry = await openFaultyRegistry();
  mirrors = [await openFaultyRegistry(), await openFaultyRegistry()];
  daemon = await TestDaemon.start(['--max-download-attempts=2']);
  await daemon.down();
  const settings = { [registry.host]: { mirrors: mirrors.map(({ url }) => url) } };
  writeFileSync(daemon.configFile, JSON.stringify({ registries: settings }));
  await daemon.up();
  clean = holdingsOf(daemon);
});

afterEach(() => {
  for (const one of [registry, ...mirrors]) one.faults.clear();
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
  for (const one of [registry, ...mirrors]) await one[Symbol.asyncDispose]();
});

/** An image with a layer that is unpacked in the daemon's thread and one that has a thread of its own, everywhere. */
async function publish(repository: string): Promise<{ config: string; layers: readonly string[] }> {
  const layers = [await tarOf({ small: randomBytes(1000) }), await tarOf({ large: randomBytes(3 << 20) })];
  const [image] = [registry, ...mirrors].map(({ content }) =>
    content.addImage(repository, layers, { tag: '1' }),
  );
  assert.ok(image);
  return { config: image.config.digest, layers: image.layers.map(({ digest }) => digest) };
}

const pageForPeople = {
  status: 200,
  headers: { 'content-type': 'text/html' },
  body: '<html>Please log in</html>',
};

const faults: readonly (readonly [string, Fault])[] = [
  ['other bytes at the start', { kind: 'corrupt' }],
  ['other bytes at the end', { kind: 'corrupt', at: Number.MAX_SAFE_INTEGER }],
  ['fewer bytes', { kind: 'truncate', bytes: 10 }],
  ['more bytes', { kind: 'pad', bytes: 10 }],
  ['a page for people', { kind: 'answer', answer: pageForPeople }],
];

for (const [title, fault] of faults) {
  test(`mirrors: one that has ${title} is passed over, for the next one or for the registry`, async () => {
    const name = `${registry.host}/app:1`;
    const { config, layers } = await publish('app');
    for (const digest of [config, ...layers]) {
      for (const mirror of mirrors) {
        mirror.faults.add({ path: digest, fault });
        assert.equal(await pullError(daemon, name), undefined, digest);
        assert.equal((await daemon.ask('DELETE', `/images/${name}`)).status, 200);
      }
      for (const mirror of mirrors) mirror.faults.clear();
    }
    // What one mirror has brought wrong the next one has, or only the registry.
    for (const one of [mirrors[1], registry])
      for (const digest of [config, ...layers]) assert.ok(one.seen('GET', digest).length > 0, digest);
  });
}

test('mirrors: one that answers everything with a page for people is passed over', async () => {
  await publish('portal');
  for (const { faults: mirrorFaults } of mirrors)
    mirrorFaults.add({ fault: { kind: 'answer', answer: pageForPeople } });
  assert.equal(await pullError(daemon, `${registry.host}/portal:1`), undefined);
  assert.equal((await daemon.ask('DELETE', `/images/${registry.host}/portal:1`)).status, 200);
});

test('mirrors: when the registry has the wrong bytes too, that is the error', async () => {
  const { layers } = await publish('wrong');
  const name = `${registry.host}/wrong:1`;
  for (const one of [registry, ...mirrors]) {
    one.faults.add({ path: layers[1] ?? '', fault: { kind: 'corrupt' } });
  }
  assert.match(
    (await pullError(daemon, name)) ?? '',
    /digest sha256:[0-9a-f]{64}, expected sha256:[0-9a-f]{64}/,
  );
  assert.equal(registry.seen('GET', layers[1]).length, 1);
  for (const one of [registry, ...mirrors]) one.faults.clear();
  assert.equal(await pullError(daemon, name), undefined);
  assert.equal((await daemon.ask('DELETE', `/images/${name}`)).status, 200);
});

test('mirrors: nothing stays of what was wrong', async () => {
  await sameAs(daemon, clean);
});
