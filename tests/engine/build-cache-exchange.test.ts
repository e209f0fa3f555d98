import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, test } from 'node:test';
import type { ClientContent } from '#/builder/cache/exchange/client-content.ts';
import type { BuildRequest, CacheLocation } from '#/builder/request.ts';
import type { Digest } from '#/oci/digest.ts';
import { parseReference } from '#/oci/reference.ts';
import { noFilters } from '#/wire/filters.ts';
import { BuildBox, type Built } from '#tests/builds.ts';
import { startRegistry } from '#tests/registry-server.ts';

const box = await BuildBox.open();
const registry = await startRegistry();
after(async () => {
  await box[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

box.files({ data: 'content' });
const dockerfile = [
  'FROM busybox AS tools',
  'RUN echo tool >/tool; echo made tool',
  'FROM busybox',
  'RUN echo one >/one; echo made one',
  'COPY data /data',
  'COPY --from=tools /tool /tool',
  'RUN cat /tool /data >/two; echo made two',
].join('\n');
const everything = 'made one\nmade tool\nmade two\n';

function location(type: string, attributes: Readonly<Record<string, string>>): CacheLocation {
  return { type, attributes: new Map(Object.entries(attributes)) };
}

/** As on another machine: nothing is known of earlier builds. */
async function forget(): Promise<void> {
  const { images, builder } = box.engine.backend;
  for (const { Id } of images.list({ all: true, filters: noFilters })) {
    if (Id !== images.inspect('busybox', undefined).Id) await images.remove(Id, { force: true, prune: true });
  }
  await builder.prune({ all: true, filters: new Map() });
  assert.deepEqual(await builder.usage(), []);
}

function sorted({ log }: Built): string {
  return log
    .split('\n')
    .filter((line) => line !== '')
    .toSorted()
    .map((line) => `${line}\n`)
    .join('');
}

/** Builds, forgets, and builds again with what the first build gave out. */
async function twice(
  to: Partial<BuildRequest>,
  from: (first: Built) => Partial<BuildRequest>,
): Promise<[Built, Built]> {
  await forget();
  const first = await box.build(dockerfile, { name: 'made', ...to });
  assert.equal(sorted(first), everything);
  await forget();
  return [first, await box.build(dockerfile, { name: 'made', ...from(first) })];
}

test('build cache: goes through a registry, all steps of it with mode=max', async () => {
  const ref = `${registry.host}/cache:1`;
  const [first, again] = await twice({ cacheTo: [location('registry', { ref, mode: 'max' })] }, () => ({
    cacheFrom: [location('registry', { ref: `${registry.host}/none` }), location('registry', { ref })],
  }));
  // The place that is not there is told, and that is all.
  assert.match(again.log, /^failed to configure registry cache importer: .*none:latest: not found\n$/);
  assert.equal(again.result.image, first.result.image);
  const run = [...again.vertices].find(([name]) => name.includes('cat /tool'))?.[1];
  assert.equal(run?.cached, true);
});

test('build cache: with mode=min only what the image is made of', async () => {
  const ref = `${registry.host}/cache:min`;
  const [first, again] = await twice({ cacheTo: [location('registry', { ref })] }, () => ({
    cacheFrom: [location('registry', { ref })],
  }));
  assert.equal(sorted(again), 'made tool\n');
  assert.equal(again.result.image, first.result.image);
});

test('build cache: an image carries its own', async () => {
  const ref = `${registry.host}/inline:1`;
  const outputs = [
    { kind: 'registry', names: [parseReference(ref)], store: true, options: new Map() },
  ] as const;
  const [first, again] = await twice({ cacheTo: [location('inline', {})], outputs }, () => ({
    cacheFrom: [location('registry', { ref })],
    cacheTo: [location('inline', {})],
  }));
  assert.equal(sorted(again), 'made tool\n');
  assert.equal(again.result.image, first.result.image);
});

test('build cache: goes through a folder of the client', async () => {
  const blobs = new Map<Digest, Buffer>();
  const content: ClientContent = {
    size: (digest) => Promise.resolve(blobs.get(digest)?.length),
    read: ({ digest }) => Readable.from([blobs.get(digest) ?? Buffer.alloc(0)]),
    write: async ({ digest }, bytes) => void blobs.set(digest, Buffer.concat(await Array.fromAsync(bytes))),
  };
  const clientContent = (): ClientContent => content;
  const [first, again] = await twice(
    { cacheTo: [location('local', { dest: '/x', mode: 'max' })], clientContent },
    ({ result }) => {
      const { digest } = JSON.parse(result.metadata.get('cache.manifest') ?? '') as { digest: string };
      return { cacheFrom: [location('local', { src: '/x', digest })], clientContent };
    },
  );
  assert.equal(again.log, '');
  assert.equal(again.result.image, first.result.image);
  // A blob that turns out to be another one is not used.
  const [layer] = [...blobs].find(([, bytes]) => bytes[0] === 0x1f) ?? [];
  assert.ok(layer !== undefined);
  blobs.set(layer, Buffer.from('other'));
  await forget();
  const { digest } = JSON.parse(first.result.metadata.get('cache.manifest') ?? '') as { digest: string };
  const third = await box.build(dockerfile, {
    name: 'made',
    cacheFrom: [location('local', { digest })],
    clientContent,
  });
  assert.match(third.log, /cannot use the cache: /);
});

test('build cache: wrong places end the build, and nothing is left of any', async () => {
  for (const change of [
    { cacheTo: [location('tape', {})] },
    { cacheFrom: [location('registry', {})] },
    { cacheTo: [location('local', { dest: '/x' })] },
  ]) {
    await assert.rejects(
      box.build(dockerfile, change),
      /unknown cache exporter|needs ref=NAME|does not give access/,
    );
  }
  const unreachable = location('registry', { ref: '127.0.0.1:1/x', 'ignore-error': 'true' });
  await box.build(dockerfile, { cacheTo: [unreachable] });
  await forget();
  assert.deepEqual(readdirSync(join(box.dir, 'run/builds')), []);
  assert.equal(readdirSync(join(box.dir, 'data/content/blobs/sha256')).length, 3);
});
