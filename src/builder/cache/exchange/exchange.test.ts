import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { isKind } from '#/base/errors.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import { type Digest, digestOf } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { parsePlatform } from '#/oci/platform.ts';
import { parseReference } from '#/oci/reference.ts';
import { configOf, type ImageScratch, openImages, tarOf } from '#tests/images.ts';
import { startRegistry, type TestRegistry } from '#tests/registry-server.ts';
import { Transfers } from '#tests/transfers.ts';
import { readImageOptions } from '../../export/image-options.ts';
import { packageImages } from '../../export/image-package.ts';
import { LayerBlobs } from '../../export/layer-blobs.ts';
import { pushPackage } from '../../export/push-package.ts';
import { addInlineCache, encodeCacheConfig, parseCacheConfig, readInlineCache } from './cache-config.ts';
import { readCacheOrigin, readCacheTarget } from './cache-options.ts';
import { type CachedResult, packageCache, writePackage } from './cache-package.ts';
import type { ClientContent } from './client-content.ts';
import { type CacheReader, ImportedCache } from './imported-cache.ts';

let registry: TestRegistry;
/** A configuration to be damaged. */
interface Loose {
  readonly layers: { annotations: { mediaType: string; size: number } }[];
  readonly records: { digest: string; layers: { layer: number }[]; skiff?: { description: string } }[];
}

const { signal } = new AbortController();
const { pack } = readImageOptions(new Map());
const created = '2024-01-02T03:04:05Z';

before(async () => {
  registry = await startRegistry();
});

after(() => registry[Symbol.asyncDispose]());

/** Two steps on top of each other, as a build leaves them; the caller holds them. */
async function built(s: ImageScratch): Promise<{ results: CachedResult[]; tars: Buffer[] } & Disposable> {
  const stack = new DisposableStack();
  const hold = stack.use(s.layers.hold());
  const blobs = stack.use(s.content.hold());
  const results: CachedResult[] = [];
  const tars: Buffer[] = [];
  for (const name of ['one', 'two']) {
    const tar = await tarOf({ [name]: name.repeat(100) });
    tars.push(tar);
    const { digest } = await s.content.ingest(Readable.from([tar]), { hold: blobs });
    const parent = results.at(-1)?.layer;
    const { chainId } = await s.layers.unpack({ parent, blob: digest, mediaType: mediaTypes.layer, hold });
    results.push({
      key: digestOf(`key ${name}`),
      layer: chainId,
      created,
      place: name,
      description: `RUN ${name}`,
    });
  }
  return { results, tars, [Symbol.dispose]: () => stack.dispose() };
}

/** A client's folder, in memory. */
class MemoryContent implements ClientContent {
  readonly blobs = new Map<Digest, Buffer>();

  size(digest: Digest): Promise<number | undefined> {
    return Promise.resolve(this.blobs.get(digest)?.length);
  }

  read({ digest }: Descriptor): AsyncIterable<Uint8Array> {
    return Readable.from([this.blobs.get(digest) ?? Buffer.alloc(0)]);
  }

  async write(
    { digest }: Descriptor,
    bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<void> {
    this.blobs.set(digest, Buffer.concat(await Array.fromAsync(bytes)));
  }
}

async function assertFetched(reader: CacheReader, results: readonly CachedResult[]): Promise<void> {
  await using there = await openImages();
  const cache = new ImportedCache(there);
  await cache.add(reader, { signal });
  assert.equal(cache.size, results.length);
  assert.equal(cache.find(digestOf('unknown')), undefined);
  {
    using hold = there.layers.hold();
    let parent: CachedResult['layer'] | undefined;
    for (const { key, layer, description } of results) {
      const record = cache.find(key);
      assert.ok(record !== undefined);
      assert.deepEqual([record.created, record.description], [created, description]);
      parent = await cache.fetch(record, { parent, hold, signal });
      assert.equal(parent, layer);
    }
  }
  await there.layers.collect();
  assert.deepEqual(await there.footprint(), { images: 0, blobs: 0, snapshots: 0, layers: 0 });
}

async function pushed(s: ImageScratch, name: string, results: readonly CachedResult[]): Promise<CacheReader> {
  const { parts } = new Transfers(s, s);
  const repository = new Transfers(s, s).repository(name);
  await using layers = new LayerBlobs(s, signal);
  const made = await packageCache(results, { layers, pack });
  const { sources, uploads } = parts;
  await pushPackage(
    made,
    { repository, name: parseReference(name), tag: 'cache' },
    { sources, uploads, signal, progress: () => {} },
  );
  return { kind: 'registry', repository, tag: 'cache' };
}

test('cache exchange: results of steps go through a registry from one machine to another', async () => {
  await using here = await openImages();
  using made = await built(here);
  const reader = await pushed(here, `${registry.host}/team/cache`, made.results);
  await assertFetched(reader, made.results);
});

test('cache exchange: results of steps go through a folder of the client', async () => {
  await using here = await openImages();
  using made = await built(here);
  const content = new MemoryContent();
  const top = await (async () => {
    await using layers = new LayerBlobs(here, signal);
    return await writePackage(await packageCache(made.results, { layers, pack }), content, { signal });
  })();
  for (const [digest, bytes] of content.blobs) assert.equal(digestOf(bytes), digest);
  await assertFetched({ kind: 'local', content, digest: top.digest }, made.results);
  // Whatever a client's folder turns out to hold, it is verified.
  const [layer] = [...content.blobs].filter(([, bytes]) => bytes[0] === 0x1f);
  assert.ok(layer !== undefined);
  await using there = await openImages();
  const cache = new ImportedCache(there);
  await cache.add({ kind: 'local', content, digest: top.digest }, { signal });
  content.blobs.set(layer[0], Buffer.from('other'));
  const record = made.results.map(({ key }) => cache.find(key)).find((one) => one?.blob === layer[0]);
  assert.ok(record !== undefined);
  using hold = there.layers.hold();
  await assert.rejects(cache.fetch(record, { parent: undefined, hold, signal }), { kind: 'invalid' });
  assert.deepEqual(await there.footprint(), { images: 0, blobs: 0, snapshots: 0, layers: 0 });
  content.blobs.set(top.digest, Buffer.from('{}'));
  await assert.rejects(cache.add({ kind: 'local', content, digest: top.digest }, { signal }), {
    kind: 'invalid',
  });
});

for (const platforms of [['linux/amd64'], ['linux/arm64', 'linux/amd64']]) {
  test(`cache exchange: an image carries the cache of what made it (${platforms.length} platforms)`, async () => {
    await using here = await openImages();
    using made = await built(here);
    const config = Buffer.from(configOf(made.tars));
    const records = made.results.map(({ layer, ...rest }) => ({
      ...rest,
      diffId: here.layers.get(layer)?.diffId ?? layer,
    }));
    const configBytes = addInlineCache(config, records);
    assert.deepEqual(readInlineCache(configBytes), records);
    assert.deepEqual(readInlineCache(config), []);
    // As BuildKit's own look, whose keys are of no use here.
    const foreign = [
      { digest: digestOf('a') },
      { digest: digestOf('b'), layers: [{ layer: 0, createdAt: created }], inputs: [[{ link: 0 }]] },
    ];
    const member = Buffer.from(JSON.stringify(foreign)).toString('base64');
    const other = { ...(JSON.parse(config.toString()) as object), 'moby.buildkit.cache.v0': member };
    assert.deepEqual(readInlineCache(Buffer.from(JSON.stringify(other))), []);
    const name = `${registry.host}/team/inline${platforms.length}`;
    const images = platforms.map((platform, index) => ({
      platform: parsePlatform(platform),
      configBytes:
        platform === 'linux/amd64' ? configBytes : Buffer.from(configOf([], { architecture: 'arm64' })),
      chainId: platform === 'linux/amd64' ? made.results.at(-1)?.layer : undefined,
      index,
    }));
    const { parts } = new Transfers(here, here);
    const repository = new Transfers(here, here).repository(name);
    {
      await using layers = new LayerBlobs(here, signal);
      const packaged = await packageImages({ images, options: readImageOptions(new Map()), layers });
      const { sources, uploads } = parts;
      await pushPackage(
        packaged,
        { repository, name: parseReference(name), tag: '1' },
        { sources, uploads, signal, progress: () => {} },
      );
    }
    await assertFetched({ kind: 'registry', repository, tag: '1' }, made.results);
  });
}

test('cache exchange: what is not there is an error for whoever asks', async () => {
  await using here = await openImages();
  const repository = new Transfers(here, here).repository(`${registry.host}/team/none`);
  await assert.rejects(new ImportedCache(here).add({ kind: 'registry', repository, tag: 'x' }, { signal }), {
    kind: 'notFound',
  });
});

test('parseCacheConfig: passes over records of other builders, refuses what is malformed', () => {
  const record = {
    key: digestOf('k'),
    diffId: digestOf('d'),
    blob: digestOf('b'),
    mediaType: mediaTypes.layerGzip,
    size: 5,
    created,
    place: 'p',
    description: 'RUN x',
  };
  const bytes = encodeCacheConfig([record]);
  assert.deepEqual(parseCacheConfig(bytes), [record]);
  const change = (edit: (document: Loose) => void): Buffer => {
    const document = JSON.parse(bytes.toString()) as Loose;
    edit(document);
    return Buffer.from(JSON.stringify(document));
  };
  assert.deepEqual(
    parseCacheConfig(
      change(({ records }) => records.push({ digest: digestOf('x'), layers: [{ layer: 0 }] })),
    ),
    [record],
  );
  assert.deepEqual(parseCacheConfig(Buffer.from('{}')), []);
  const edits: ((document: Loose) => void)[] = [
    ({ records }) => records[0]?.layers.splice(0, 1, { layer: 7 }),
    ({ records }) => records[0]?.layers.pop(),
    ({ records: [first] }) => Object.assign(first ?? {}, { digest: '../../x' }),
    ({ layers: [first] }) => Object.assign(first?.annotations ?? {}, { mediaType: 'text/plain' }),
    ({ layers: [first] }) => Object.assign(first?.annotations ?? {}, { size: -1 }),
    ({ records: [first] }) => Object.assign(first?.skiff ?? {}, { description: 'x'.repeat(10_000) }),
  ];
  for (const edit of edits)
    assert.throws(() => parseCacheConfig(change(edit)), { kind: 'invalid' }, String(edit));
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 4 }), (changes) => {
      const broken = Buffer.from(bytes);
      for (const [at, value] of changes) broken[at] = value;
      try {
        parseCacheConfig(broken);
      } catch (error) {
        assert.ok(isKind(error, 'invalid'), String(error));
      }
    }),
  );
});

test('readCacheTarget and readCacheOrigin: take what clients write and refuse the rest', () => {
  const location = (type: string, attributes: Record<string, string> = {}) => ({
    type,
    attributes: new Map(Object.entries(attributes)),
  });
  const target = readCacheTarget(
    location('registry', { ref: 'host:5000/a', mode: 'max', compression: 'zstd', 'ignore-error': 'true' }),
  );
  assert.ok(target.kind === 'registry');
  assert.deepEqual(
    [target.mode, target.pack.compression, target.ignoreError, target.reference.tag],
    ['max', 'zstd', true, 'latest'],
  );
  assert.equal(readCacheTarget(location('inline')).kind, 'inline');
  assert.equal(readCacheOrigin(location('registry', { ref: 'a/b:c' })).name, 'docker.io/a/b:c');
  assert.equal(readCacheOrigin(location('local', { src: '/x', digest: digestOf('') })).name, '/x');
  for (const [type, attributes] of [
    ['registry', {}],
    ['registry', { ref: 'A' }],
    ['registry', { ref: 'a', mode: 'all' }],
    ['tape', {}],
  ] as const) {
    assert.throws(() => readCacheTarget(location(type, attributes)), { kind: 'invalid' });
  }
  assert.throws(() => readCacheOrigin(location('local', { src: '/x' })), /requires digest/);
  assert.throws(() => readCacheOrigin(location('s3')), { kind: 'notImplemented' });
});
