import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { parsePlatform } from '#/oci/platform.ts';
import { parseReference } from '#/oci/reference.ts';
import { loadImages } from '#/storage/images/load.ts';
import { readTar } from '#/tar/tar-reader.ts';
import { plainFacts } from '#tests/build-facts.ts';
import { configOf, dockerArchive, type ImageScratch, openImages, streamOf, tarOf } from '#tests/images.ts';
import { startRegistry, type TestRegistry } from '#tests/registry-server.ts';
import { Transfers, testClient } from '#tests/transfers.ts';
import { readAttestOptions } from '../attest/attest-options.ts';
import { ResultAttestations } from '../attest/attest-result.ts';
import type { ArchiveSink } from '../request.ts';
import type { PlatformImage } from './image-package.ts';
import { type OuterOutput, type Transfer, transferResult } from './transfer.ts';

let registry: TestRegistry;

before(async () => {
  registry = await startRegistry();
});

after(() => registry[Symbol.asyncDispose]());

/** An image with a package in it. */
async function built(s: ImageScratch, architecture: string = 'amd64'): Promise<PlatformImage> {
  const status = 'Package: curl\nStatus: install ok installed\nVersion: 7.88\n';
  const layers = [await tarOf({ 'var/lib/dpkg/status': status, file: architecture })];
  await loadImages(s, streamOf(await dockerArchive([`${architecture}:1`], layers, { architecture })));
  const { chainId } = s.images.find(`${architecture}:1`).image;
  const configBytes = Buffer.from(configOf(layers, { architecture, created: '2024-01-01T00:00:00Z' }));
  return { platform: parsePlatform(`linux/${architecture}`), configBytes, chainId };
}

function transferOf(s: ImageScratch, attestations: Readonly<Record<string, string>> = {}): Transfer {
  const { parts } = new Transfers(s, s);
  const client = testClient();
  const { signal } = new AbortController();
  const roots = { layers: s.layers, snapshots: s.snapshots, trees: s.trees, runRoot: join(s.dir, 'run') };
  const options = readAttestOptions(new Map(Object.entries(attestations)));
  return {
    parts: { images: s, roots, client: () => client, sources: parts.sources, uploads: parts.uploads },
    attestations: new ResultAttestations({ options, facts: plainFacts, roots, signal }),
    auth: { credentials: () => Promise.resolve({ kind: 'anonymous' }) },
    signal,
    progress: () => {},
  };
}

class Collected implements ArchiveSink {
  bytes: Buffer = Buffer.alloc(0);

  async write(bytes: AsyncIterable<Uint8Array>): Promise<void> {
    this.bytes = Buffer.concat(await Array.fromAsync(bytes));
  }
}

async function filesIn(archive: Buffer): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for await (const { path, body } of readTar(streamOf(archive))) {
    files.set(path, Buffer.concat(await Array.fromAsync(body)));
  }
  return files;
}

test('transferResult: pushes all names, with attestations that lead to the image', async () => {
  await using s = await openImages({ driver: 'overlay2' });
  const image = await built(s);
  const names = [`${registry.host}/a/app:1`, `${registry.host}/b/app:2`].map(parseReference);
  const output: OuterOutput = { kind: 'registry', names, store: false, options: new Map() };
  const wanted = { sbom: '', provenance: 'mode=max' };
  const { metadata } = await transferResult(output, [image], transferOf(s, wanted));
  assert.equal(metadata.get('image.name'), `${registry.host}/a/app:1,${registry.host}/b/app:2`);
  assert.equal(metadata.get('containerimage.config.digest'), digestOf(image.configBytes));
  const descriptor = JSON.parse(
    Buffer.from(metadata.get('containerimage.descriptor') ?? '', 'base64').toString(),
  );
  assert.equal(descriptor.digest, metadata.get('containerimage.digest'));
  const { signal } = new AbortController();
  for (const name of names) {
    const repository = new Transfers(s, s).repository(`${name.domain}/${name.path}`);
    const index = JSON.parse((await repository.manifest(name.tag ?? '', { signal })).bytes.toString());
    const [{ digest }, { digest: said }] = index.manifests;
    const { layers } = JSON.parse((await repository.manifest(said, { signal })).bytes.toString());
    const statements = await Promise.all(
      layers.map(async (layer: { digest: never; size: number; mediaType: string }) => {
        const bytes = await Array.fromAsync(repository.download(layer, { signal }));
        return JSON.parse(Buffer.concat(bytes).toString());
      }),
    );
    const [bill, provenance] = statements;
    assert.equal(bill.predicate.packages[1].name, 'curl');
    assert.equal(provenance.predicateType, 'https://slsa.dev/provenance/v1');
    for (const { subject } of statements) assert.equal(`sha256:${subject[0].digest.sha256}`, digest);
    assert.equal(provenance.subject[0].name, `pkg:docker/${registry.host}/a/app@1?platform=linux%2Famd64`);
  }
  await using there = await openImages();
  const pulled = await new Transfers(there, there).pull(`${registry.host}/b/app:2`);
  assert.equal(pulled.image.id, digestOf(image.configBytes));
});

test('transferResult: pushes by digest only, if that is asked for', async () => {
  await using s = await openImages();
  const names = [parseReference(`${registry.host}/c/app`)];
  const output: OuterOutput = {
    kind: 'registry',
    names,
    store: false,
    options: new Map([['push-by-digest', 'true']]),
  };
  const { metadata } = await transferResult(output, [await built(s)], transferOf(s));
  const digest = metadata.get('containerimage.digest') ?? '';
  assert.equal(metadata.get('image.name'), `${registry.host}/c/app@${digest}`);
  const { signal } = new AbortController();
  const repository = new Transfers(s, s).repository(`${registry.host}/c/app`);
  assert.equal(await repository.head('latest', { signal }), undefined);
  assert.equal((await repository.head(digest, { signal }))?.digest, digest);
  await assert.rejects(
    transferResult({ ...output, names: [] }, [], transferOf(s)),
    /tag is needed when pushing/,
  );
});

test('transferResult: archives for Docker and of an OCI layout can be loaded', async () => {
  await using s = await openImages({ driver: 'overlay2' });
  const image = await built(s);
  for (const kind of ['docker', 'oci'] as const) {
    await using there = await openImages();
    const sink = new Collected();
    const output: OuterOutput = { kind, names: [parseReference('x:1')], sink, options: new Map() };
    const { metadata } = await transferResult(output, [image], transferOf(s, { sbom: '' }));
    const files = await filesIn(sink.bytes);
    const index = JSON.parse(files.get('index.json')?.toString() ?? '');
    assert.equal(index.manifests[0].digest, metadata.get('containerimage.digest'));
    assert.equal(index.manifests[0].mediaType.includes('index'), kind === 'oci');
    if (kind === 'oci') continue;
    await loadImages(there, streamOf(sink.bytes));
    assert.equal(there.images.find('x:1').id, digestOf(image.configBytes));
  }
});

test('transferResult: files of a result, as an archive and as a tree, with what is said of them', async () => {
  await using s = await openImages({ driver: 'overlay2' });
  const images = [await built(s, 'amd64'), await built(s, 'arm64')];
  const sink = new Collected();
  const wanted = { sbom: '', provenance: 'inline-only=true' };
  await transferResult({ kind: 'tar', sink, options: new Map() }, images.slice(0, 1), transferOf(s, wanted));
  const files = await filesIn(sink.bytes);
  assert.ok(files.has('file') && files.has('sbom.spdx.json') && !files.has('provenance.json'));
  const { subject } = JSON.parse(files.get('sbom.spdx.json')?.toString() ?? '');
  assert.deepEqual(
    subject.map(({ name, digest }: { name: string; digest: { sha256: string } }) => [
      name,
      `sha256:${digest.sha256}`,
    ]),
    ['file', 'var/lib/dpkg/status'].map((name) => [name, digestOf(files.get(name) ?? '')]),
  );
  const seen: unknown[] = [];
  const tree = {
    write: (root: string) => {
      for (const name of readdirSync(root).toSorted())
        seen.push([name, readFileSync(join(root, name, 'file'), 'utf8')]);
      return Promise.resolve();
    },
  };
  await transferResult({ kind: 'local', sink: tree, options: new Map() }, images, transferOf(s));
  assert.deepEqual(seen, [
    ['linux_amd64', 'amd64'],
    ['linux_arm64', 'arm64'],
  ]);
  await transferResult(
    {
      kind: 'local',
      sink: { write: (root) => Promise.resolve(void seen.push(readdirSync(root))) },
      options: new Map([['platform-split', 'true']]),
    },
    images.slice(0, 1),
    transferOf(s),
  );
  assert.deepEqual(seen.at(-1), ['linux_amd64']);
  assert.deepEqual(readdirSync(join(s.dir, 'run')), []);
});
