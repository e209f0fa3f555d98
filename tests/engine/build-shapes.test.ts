import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { after, test } from 'node:test';
import { formatPlatform, hostPlatform, parsePlatform } from '#/oci/platform.ts';
import { readTar } from '#/tar/tar-reader.ts';
import { BuildBox } from '#tests/builds.ts';

const box = await BuildBox.open();
after(() => box[Symbol.asyncDispose]());

test('build: several platforms give an index, each step only once where nothing is different', async () => {
  const archive: Uint8Array[] = [];
  const sink = {
    write: async (bytes: AsyncIterable<Uint8Array>): Promise<void> => {
      for await (const piece of bytes) archive.push(Buffer.from(piece));
    },
  };
  const dockerfile = [
    'FROM --platform=$BUILDPLATFORM busybox AS build',
    'RUN echo common; cat /proc/sys/kernel/random/uuid >/common',
    'ARG TARGETARCH',
    'RUN echo for $TARGETARCH >/arch',
    'FROM scratch',
    'COPY --from=build /arch /common /',
  ].join('\n');
  const platforms = ['linux/amd64', 'linux/arm64'].map(parsePlatform);
  const outputs = [{ kind: 'oci' as const, names: [], sink, options: new Map() }];
  const built = await box.build(dockerfile, { platforms, outputs });
  const uuidSteps = built.events.filter(
    (event) => event.kind === 'log' && event.data.toString() === 'common\n',
  );
  // Both wait for the one that runs, and both are told what it says.
  assert.ok(uuidSteps.length === 1 || uuidSteps.length === 2);
  const files = new Map<string, Buffer>();
  for await (const entry of readTar(Readable.from([Buffer.concat(archive)]))) {
    const pieces: Uint8Array[] = [];
    for await (const piece of entry.body) pieces.push(Buffer.from(piece));
    files.set(entry.path, Buffer.concat(pieces));
  }
  const read = (path: string): { manifests: { digest: string; platform?: { architecture: string } }[] } =>
    JSON.parse(String(files.get(path)));
  const [top] = read('index.json').manifests;
  const index = read(`blobs/sha256/${top?.digest.slice('sha256:'.length)}`);
  assert.deepEqual(
    index.manifests.map(({ platform }) => platform?.architecture),
    ['amd64', 'arm64'],
  );
  assert.ok([...built.vertices.keys()].some((name) => name.startsWith('[linux/arm64 build ')));
});

test('build: --squash makes one layer of all steps', async () => {
  const dockerfile = [
    'FROM busybox',
    'RUN echo one >/one; echo gone >/gone',
    'RUN rm /gone /bin/vi; echo two >/two',
  ].join('\n');
  await box.build(dockerfile, { name: 'squashed', squash: true });
  const image = box.engine.backend.images.inspect('squashed', undefined);
  assert.equal(image.RootFS.Layers?.length, 2);
  assert.equal(image.Architecture, formatPlatform(hostPlatform()).split('/')[1]);
  const shown = await box.build('FROM squashed\nRUN cat /one /two; ls /gone /bin/vi 2>&1 | sort');
  assert.equal(
    shown.log,
    'one\ntwo\nls: /bin/vi: No such file or directory\nls: /gone: No such file or directory\n',
  );
  const again = await box.build(dockerfile, { squash: true });
  assert.equal(again.result.image, image.Id);
});
