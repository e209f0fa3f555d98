import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { ArchiveSink, Output } from '#/builder/request.ts';
import { parsePlatform } from '#/oci/platform.ts';
import { parseReference } from '#/oci/reference.ts';
import { extractTar } from '#/storage/archive/extract.ts';
import { readTar } from '#/tar/tar-reader.ts';
import { BuildBox, directoryContext } from '#tests/builds.ts';
import { streamOf } from '#tests/images.ts';
import { startRegistry } from '#tests/registry-server.ts';
import { scratchDir } from '#tests/scratch-dir.ts';

const box = await BuildBox.open();
const registry = await startRegistry();
after(async () => {
  await box[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

/** A document whose form the test relies on. */
interface Loose {
  readonly manifests: readonly [{ digest: string }, { digest: string }];
  readonly layers: readonly { digest: string }[];
  readonly subject: readonly [{ digest: { sha256: string } }];
  readonly predicate: {
    buildDefinition: {
      externalParameters: { request: { args: object; secrets: object } };
      internalParameters: { buildConfig: { llbDefinition: { op: { Op: { exec: { meta: object } } } }[] } };
      resolvedDependencies: [{ uri: string; digest: { sha256: string } }];
    };
    runDetails: { metadata: { buildkit_hermetic: boolean } };
  };
}

class Collected implements ArchiveSink {
  bytes: Buffer = Buffer.alloc(0);

  async write(bytes: AsyncIterable<Uint8Array>): Promise<void> {
    this.bytes = Buffer.concat(await Array.fromAsync(bytes));
  }

  async files(): Promise<Map<string, Buffer>> {
    const files = new Map<string, Buffer>();
    for await (const { path, body } of readTar(streamOf(this.bytes))) {
      files.set(path, Buffer.concat(await Array.fromAsync(body)));
    }
    return files;
  }
}

const dockerfile = ['FROM busybox', 'RUN echo made >/made && ln -s /etc/passwd /link', 'LABEL a=b'].join(
  '\n',
);
const options = new Map<string, string>();

function assertNothingLeft(): void {
  assert.deepEqual(readdirSync(join(box.dir, 'run/builds')), []);
}

test('build outputs: an archive for docker load is the image that the store would have', async () => {
  const sink = new Collected();
  const names = [parseReference('out:1')];
  const built = await box.build(dockerfile, { outputs: [{ kind: 'docker', names, sink, options }] });
  const stored = await box.build(dockerfile, { name: 'stored' });
  assert.equal(built.result.metadata.get('containerimage.config.digest'), stored.result.image);
  const { signal } = new AbortController();
  await box.engine.backend.images.load(streamOf(sink.bytes), { platform: undefined, signal });
  assert.equal(box.engine.backend.images.inspect('out:1', undefined).Id, stored.result.image);
});

test('build outputs: an OCI layout can be the base of another build', async () => {
  const sink = new Collected();
  const names = [parseReference('laid/out:1')];
  await box.build(dockerfile, { outputs: [{ kind: 'oci', names, sink, options }] });
  using layout = scratchDir();
  await extractTar(streamOf(sink.bytes), { root: layout.path, whiteouts: 'none' });
  const context = directoryContext(layout.path, 'layout');
  const built = await box.build('FROM base\nRUN cat /made\nCOPY --from=base /made /again', {
    namedContexts: new Map([['base', { kind: 'oci-layout', context, reference: '1' }]]),
  });
  assert.equal(built.log, 'made\n');
  assert.ok(built.vertices.has('[context base] OCI load from client'));
});

test('build outputs: files go out as a tree and as an archive, links as they are', async () => {
  const sink = new Collected();
  const seen: string[] = [];
  const tree = {
    write: (root: string) => {
      if (existsSync(join(root, 'made'))) seen.push(readFileSync(join(root, 'made'), 'utf8'));
      return Promise.resolve();
    },
  };
  const outputs: Output[] = [
    { kind: 'tar', sink, options },
    { kind: 'local', sink: tree, options },
  ];
  await box.build(dockerfile, { outputs });
  assert.deepEqual(seen, ['made\n']);
  assert.equal((await sink.files()).get('made')?.toString(), 'made\n');
  box.files({ only: 'x' });
  await box.build('FROM scratch\nCOPY only /', { outputs, attestations: new Map([['provenance', '']]) });
  // Nothing of the places that containers get for their mounts.
  assert.deepEqual([...(await sink.files()).keys()], ['only', 'provenance.json']);
  assertNothingLeft();
  const failing = { write: () => Promise.reject(new Error('client gone')) };
  await assert.rejects(
    box.build(dockerfile, { outputs: [{ kind: 'local', sink: failing, options }] }),
    /client gone/,
  );
  assertNothingLeft();
});

test('build outputs: a push has provenance and a bill of materials that tell of the build', async () => {
  const base = `${registry.host}/base:1`;
  await box.build('FROM busybox\nRUN touch /b', {
    outputs: [{ kind: 'registry', names: [parseReference(base)], store: false, options }],
  });
  const name = `${registry.host}/app:1`;
  const built = await box.build(
    `FROM ${base}\nARG V\nRUN --mount=type=secret,id=s,required=false --network=none echo $V >/v`,
    {
      args: new Map([['V', 'hush']]),
      attestations: new Map([
        ['provenance', 'mode=max'],
        ['sbom', ''],
      ]),
      outputs: [{ kind: 'registry', names: [parseReference(name)], store: true, options }],
    },
  );
  assert.equal(box.engine.backend.images.inspect(name, undefined).Id, built.result.image);
  const get = async (path: string): Promise<Loose> =>
    (await (await fetch(`${registry.url}/v2/app/${path}`)).json()) as Loose;
  const index = await get('manifests/1');
  const { layers } = await get(`manifests/${index.manifests[1].digest}`);
  const provenance = await get(`blobs/${layers[1]?.digest}`);
  assert.equal(provenance.subject[0].digest.sha256, index.manifests[0].digest.slice(7));
  const { buildDefinition } = provenance.predicate;
  assert.deepEqual(buildDefinition.externalParameters.request.args, { 'build-arg:V': 'hush' });
  assert.deepEqual(buildDefinition.externalParameters.request.secrets, [{ id: 's', optional: true }]);
  const [{ uri, digest }] = buildDefinition.resolvedDependencies;
  assert.equal(uri, `pkg:docker/${registry.host}/base@1?platform=linux%2Famd64`);
  const top = await fetch(`${registry.url}/v2/base/manifests/1`, {
    method: 'HEAD',
    headers: { accept: '*/*' },
  });
  assert.equal(`sha256:${digest.sha256}`, top.headers.get('docker-content-digest'));
  const step = buildDefinition.internalParameters.buildConfig.llbDefinition.at(-2);
  assert.deepEqual(step?.op.Op.exec.meta, {
    args: ['/bin/sh', '-c', 'echo $V >/v'],
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'V=hush'],
    cwd: '/',
  });
  assert.equal(provenance.predicate.runDetails.metadata.buildkit_hermetic, true);
  assertNothingLeft();
});

test('build outputs: with SOURCE_DATE_EPOCH the same input gives the same bytes, whatever was built before', async () => {
  const archives: Buffer[] = [];
  for (let time = 0; time < 2; time += 1) {
    const sink = new Collected();
    const names = [parseReference('same:1')];
    await box.build(`FROM busybox\nWORKDIR /new\nRUN touch now && mkdir -p a/b\nCOPY only /new/`, {
      noCache: true,
      args: new Map([['SOURCE_DATE_EPOCH', '1700000000']]),
      outputs: [{ kind: 'oci', names, sink, options: new Map([['rewrite-timestamp', 'true']]) }],
    });
    archives.push(sink.bytes);
    box.files({ only: 'x' });
  }
  assert.deepEqual(archives[0], archives[1]);
});

test('build outputs: several platforms become an index, each with its own files', async () => {
  const name = `${registry.host}/multi:1`;
  const platforms = ['linux/amd64', 'linux/arm64', 'linux/arm/v7'].map((text) => parsePlatform(text));
  const sink = new Collected();
  await box.build('FROM scratch\nARG TARGETPLATFORM\nCOPY only /\nLABEL for=$TARGETPLATFORM', {
    platforms,
    attestations: new Map([['provenance', '']]),
    outputs: [
      { kind: 'registry', names: [parseReference(name)], store: false, options },
      { kind: 'oci', names: [parseReference(name)], sink, options },
    ],
  });
  const index = (await (await fetch(`${registry.url}/v2/multi/manifests/1`)).json()) as {
    manifests: {
      digest: string;
      platform: { architecture: string; variant?: string };
      annotations?: object;
    }[];
  };
  assert.deepEqual(
    index.manifests.map(({ platform: { architecture, variant } }) =>
      [architecture, variant].filter(Boolean).join('/'),
    ),
    ['amd64', 'arm64', 'arm/v7', 'unknown', 'unknown', 'unknown'],
  );
  for (const [at, platform] of ['linux/amd64', 'linux/arm64', 'linux/arm/v7'].entries()) {
    const get = async (path: string): Promise<{ config: { digest: string; Labels: object } }> =>
      (await (await fetch(`${registry.url}/v2/multi/${path}`)).json()) as never;
    const { config } = await get(`manifests/${index.manifests[at]?.digest}`);
    assert.deepEqual((await get(`blobs/${config.digest}`)).config.Labels, { for: platform });
  }
  const inArchive = JSON.parse((await sink.files()).get('index.json')?.toString() ?? '');
  assert.equal(inArchive.manifests.length, 1);
});
