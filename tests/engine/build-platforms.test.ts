import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { parsePlatform } from '#/oci/platform.ts';
import { parseReference } from '#/oci/reference.ts';
import { readTar } from '#/tar/tar-reader.ts';
import { BuildBox } from '#tests/builds.ts';
import { streamOf } from '#tests/images.ts';
import { startRegistry } from '#tests/registry-server.ts';

const box = await BuildBox.open();
const registry = await startRegistry();
after(async () => {
  await box[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

const platforms = ['linux/amd64', 'linux/arm64'].map((text) => parsePlatform(text));
const [amd64, arm64] = platforms;
const options = new Map<string, string>();
const dockerfile = 'FROM scratch\nARG TARGETARCH\nCOPY only-$TARGETARCH /\nLABEL for=$TARGETARCH';
box.files({ 'only-amd64': 'a', 'only-arm64': 'b' });

function images(): typeof box.engine.backend.images {
  return box.engine.backend.images;
}

test('build platforms: the store has one image for several platforms at once', async () => {
  const built = await box.build(dockerfile, { name: 'multi:1', platforms });
  const whole = images().inspect('multi:1');
  assert.equal(whole.Id, built.result.image);
  assert.equal(built.result.metadata.get('containerimage.digest'), whole.Id);
  assert.equal(built.result.metadata.get('containerimage.config.digest'), undefined);
  assert.deepEqual(images().inspect('multi:1', arm64).Config?.Labels, { for: 'arm64' });
  assert.deepEqual(images().inspect('multi:1', amd64).Config?.Labels, { for: 'amd64' });
  const { Manifests } = await images().manifests('multi:1');
  assert.deepEqual(
    Manifests.map(({ Kind, Available, ImageData }) => [Kind, Available, ImageData?.Platform.architecture]),
    [
      ['image', true, 'amd64'],
      ['image', true, 'arm64'],
    ],
  );
  const again = await box.build(dockerfile, { name: 'multi:1', platforms });
  assert.equal(again.result.image, whole.Id);
  const listed = images().list({ filters: new Map() });
  assert.deepEqual(
    new Set(listed.flatMap(({ RepoTags }) => RepoTags)),
    new Set(['busybox:latest', 'multi:1']),
  );
});

test('build platforms: FROM and COPY --from take the image for the platform, by name and by identifier', async () => {
  const { result } = await box.build(dockerfile, { name: 'multi:2', platforms });
  for (const base of ['multi:2', result.image ?? '']) {
    const child = `FROM ${base}\nCOPY --from=${base} /only-* /copied/`;
    await box.build(child, { name: 'child', platforms });
    for (const platform of platforms) {
      const { Config } = images().inspect('child', platform);
      assert.deepEqual(Config?.Labels, { for: platform.architecture });
      const files = await box.build('FROM child', { platforms: [platform], name: 'one' });
      assert.equal(images().inspect('one').Architecture, platform.architecture);
      assert.ok(files.result.image);
    }
  }
  await assert.rejects(
    box.build(`FROM ${result.image}`, { platforms: [parsePlatform('linux/s390x')] }),
    /No such image: sha256:\w+ for linux\/s390x/,
  );
});

test('build platforms: attestations that were asked for make an index, also of one image', async () => {
  const attestations = new Map([
    ['provenance', 'mode=max'],
    ['sbom', ''],
  ]);
  const built = await box.build('FROM busybox\nRUN echo x >/x', { name: 'said:1', attestations });
  const { Manifests } = await images().manifests('said:1');
  assert.deepEqual(
    Manifests.map(({ Kind, Available }) => [Kind, Available]),
    [
      ['image', true],
      ['attestation', true],
    ],
  );
  assert.equal(images().inspect('said:1').Id, built.result.image);
  const inline = new Map([['provenance', 'mode=min,inline-only=true']]);
  await box.build('FROM busybox\nRUN echo x >/x', { name: 'said:2', attestations: inline });
  assert.equal(images().inspect('said:2').Descriptor, undefined);
  await box.build(dockerfile, { name: 'said:3', platforms, attestations: inline });
  assert.equal((await images().manifests('said:3')).Manifests.length, 4);
});

test('build platforms: annotations are in the store, of images and of indexes', async () => {
  const named = (name: string): { kind: 'image'; names: ReturnType<typeof parseReference>[] } => ({
    kind: 'image',
    names: [parseReference(name)],
  });
  const annotated = new Map([
    ['annotation.all', '1'],
    ['annotation[linux/arm64].arm', '2'],
  ]);
  await box.build(dockerfile, {
    platforms,
    outputs: [{ ...named('noted:1'), options: new Map([...annotated, ['annotation-index.whole', '3']]) }],
  });
  const saved = await filesOf('noted:1');
  const [top] = manifestsIn(saved.get('index.json'));
  const index = JSON.parse(saved.get(`blobs/sha256/${top?.slice(7)}`) ?? '');
  assert.deepEqual(index.annotations, { whole: '3' });
  const documents = manifestsIn(JSON.stringify(index)).map((digest) =>
    JSON.parse(saved.get(`blobs/sha256/${digest.slice(7)}`) ?? ''),
  );
  assert.deepEqual(
    documents.map(({ annotations }) => annotations),
    [{ all: '1' }, { all: '1', arm: '2' }],
  );
  await box.build('FROM busybox\nLABEL noted=1', { name: 'noted:2' });
  await box.build('FROM busybox\nLABEL noted=1', { outputs: [{ ...named('noted:2'), options: annotated }] });
  const one = await filesOf('noted:2');
  const [only] = manifestsIn(one.get('index.json'));
  assert.deepEqual(JSON.parse(one.get(`blobs/sha256/${only?.slice(7)}`) ?? '').annotations, { all: '1' });
});

test('build platforms: what is pushed and kept is known by the digest of the registry, too', async () => {
  const name = `${registry.host}/kept:1`;
  const outputs = [{ kind: 'registry' as const, names: [parseReference(name)], store: true, options }];
  const { result } = await box.build(dockerfile, { platforms, outputs });
  const pushed = result.metadata.get('containerimage.digest');
  assert.deepEqual(images().inspect(name).RepoDigests, [`${registry.host}/kept@${pushed}`]);
  assert.equal(images().inspect(`${registry.host}/kept@${pushed}`, arm64).Architecture, 'arm64');
});

test('build platforms: an index is whole after a restart, and goes with all that it brought', async () => {
  const { result } = await box.build(dockerfile, { name: 'lasting:1', platforms });
  await box.down();
  await box.up();
  assert.equal(images().inspect('lasting:1').Id, result.image);
  assert.equal(images().inspect('lasting:1', arm64).Architecture, 'arm64');
  const removed = await images().remove('lasting:1', { force: false, prune: true });
  assert.ok(removed.some(({ Untagged }) => Untagged === 'lasting:1'));
});

/** The files of an archive of what a name means, as texts. */
async function filesOf(name: string): Promise<Map<string, string>> {
  const archive = Buffer.concat(await Array.fromAsync(images().save([name]), (chunk) => Buffer.from(chunk)));
  const files = new Map<string, string>();
  for await (const { path, body } of readTar(streamOf(archive)))
    files.set(path, String(Buffer.concat(await Array.fromAsync(body))));
  return files;
}

function manifestsIn(text: string | undefined): string[] {
  return (JSON.parse(text ?? '') as { manifests: { digest: string }[] }).manifests.map(
    ({ digest }) => digest,
  );
}
