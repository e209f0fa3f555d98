import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { buildxCli, noBuildx } from '#tests/buildx.ts';
import { TestDaemon } from '#tests/daemon.ts';
import type { DockerCli } from '#tests/docker-cli.ts';
import { serveGit, TestRepository } from '#tests/git-server.ts';
import { ownAddress } from '#tests/own-address.ts';
import { startRegistry, type TestRegistry } from '#tests/registry-server.ts';
import { importRoot } from '#tests/test-images.ts';

const skip = noBuildx;
let daemon: TestDaemon;
let registry: TestRegistry;
let cli: DockerCli;

before(async () => {
  if (skip !== false) return;
  daemon = await TestDaemon.start();
  registry = await startRegistry();
  cli = buildxCli(daemon);
  await importRoot(daemon, 'base', {});
  mkdirSync(join(cli.dir, 'context'));
  writeFileSync(
    join(cli.dir, 'context/Dockerfile'),
    'FROM base\nCOPY data /data\nRUN echo made >/made && ln -s /etc/passwd /link; echo ran\n',
  );
  writeFileSync(join(cli.dir, 'context/data'), 'content');
});

after(async () => {
  if (skip !== false) return;
  await daemon[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

/** Builds; what the client has shown. */
async function build(args: string): Promise<string> {
  const { code, stdout, stderr } = await cli.run(`docker buildx build --progress=plain ${args}`);
  assert.equal(code, 0, `${args}\n${stdout}${stderr}`);
  return stdout + stderr;
}

test('buildx: files come out as a folder and as an archive', { skip }, async () => {
  await build('-o type=local,dest=folder context');
  assert.equal(readFileSync(join(cli.dir, 'folder/made'), 'utf8'), 'made\n');
  assert.equal(readlinkSync(join(cli.dir, 'folder/link')), '/etc/passwd');
  assert.ok(!existsSync(join(cli.dir, 'folder/etc/hosts')));
  await build('-o type=tar,dest=files.tar context');
  assert.equal(await cli.ok('tar -xOf files.tar made'), 'made');
});

test('buildx: archives of both kinds are images', { skip }, async () => {
  await build('-o type=docker,dest=docker.tar -t from/docker context');
  assert.match(await cli.ok('docker load -i docker.tar'), /Loaded image: from\/docker:latest/);
  await build('-o type=oci,dest=oci.tar -t from/oci context');
  assert.match(await cli.ok('docker load -i oci.tar'), /Loaded image: from\/oci:latest/);
  // With provenance the image is part of an index, which has an identifier of its own.
  const layers = (name: string): Promise<string> =>
    cli.ok(`docker image inspect -f "{{json .RootFS}}" ${name}`);
  assert.equal(await layers('from/oci'), await layers('from/docker'));
});

test('buildx: an image for several platforms is in the store, is run, saved, loaded and pushed', {
  skip,
}, async () => {
  mkdirSync(join(cli.dir, 'several'), { recursive: true });
  writeFileSync(
    join(cli.dir, 'several/Dockerfile'),
    'FROM --platform=$BUILDPLATFORM base AS own\nFROM own AS amd64\nFROM scratch AS arm64\nFROM $TARGETARCH\nARG TARGETARCH\nLABEL for=$TARGETARCH\n',
  );
  const name = `${registry.host}/several:1`;
  const platforms = '--platform linux/amd64,linux/arm64';
  await build(`${platforms} -t ${name} --iidfile iid --metadata-file meta.json several`);
  const id = await cli.ok(`docker image inspect -f "{{.Id}}" ${name}`);
  assert.equal(readFileSync(join(cli.dir, 'iid'), 'utf8'), id);
  const meta = JSON.parse(readFileSync(join(cli.dir, 'meta.json'), 'utf8')) as Record<string, unknown>;
  assert.equal(meta['containerimage.digest'], id);
  assert.equal(await cli.ok(`docker images -q --no-trunc ${name}`), id);
  await cli.ok(`docker save -o several.tar ${name}`);
  await cli.ok(`docker rmi ${name}`);
  assert.equal(await cli.ok('docker load -i several.tar'), `Loaded image: ${name}`);
  assert.equal(await cli.ok(`docker image inspect -f "{{.Id}}" ${name}`), id);
  await cli.ok(`docker push -q ${name}`);
  const index = (await (await fetch(`${registry.url}/v2/several/manifests/1`)).json()) as {
    manifests: { platform: { architecture: string } }[];
  };
  // Buildx asks for provenance by itself.
  assert.deepEqual(
    index.manifests.map(({ platform }) => platform.architecture),
    ['amd64', 'arm64', 'unknown', 'unknown'],
  );
  await cli.check({ line: `docker run --rm ${id} /bin/busybox echo it runs`, out: 'it runs\n' });
  await cli.check({ line: `docker rmi ${name}`, out: new RegExp(`Deleted: ${id}`) });
});

test('buildx: pushes, and what was pushed can be pulled', { skip }, async () => {
  const name = `${registry.host}/pushed:1`;
  await build(`--push -t ${name} --metadata-file meta.json context`);
  const { 'containerimage.digest': digest } = JSON.parse(readFileSync(join(cli.dir, 'meta.json'), 'utf8'));
  const head = await fetch(`${registry.url}/v2/pushed/manifests/1`, {
    method: 'HEAD',
    headers: { accept: '*/*' },
  });
  assert.equal(head.headers.get('docker-content-digest'), digest);
  await cli.run(`docker rmi -f ${name}`);
  assert.match(await cli.ok(`docker pull -q ${name}`), /pushed:1$/);
});

test('buildx: a registry without TLS gets and gives what an output and a cache say that it may', {
  skip,
}, async () => {
  await using proxy = await forwardTo(registry.host);
  const name = `${proxy.host}/insecure:1`;
  const { code, stderr } = await cli.run(`docker buildx build -o type=image,name=${name},push=true context`);
  assert.equal(code, 1);
  assert.ok(stderr.includes(`failed to push ${name}: `), stderr);
  await build(`-o type=image,name=${name},push=true,registry.insecure=true context`);
  const cache = `type=registry,ref=${proxy.host}/insecure:cache`;
  await build(`--cache-to ${cache},mode=max,registry.insecure=true context`);
  await cli.ok('docker buildx prune -af >/dev/null');
  assert.match(await build(`--cache-from ${cache} context`), /^#\d+ [\d.]+ ran$/m);
  await cli.ok('docker buildx prune -af >/dev/null');
  const shown = await build(`--cache-from ${cache},registry.insecure=true context`);
  assert.doesNotMatch(shown, /^#\d+ [\d.]+ ran$/m, shown);
});

/** A registry at an address that is not one of those that mean this machine. */
async function forwardTo(host: string): Promise<{ host: string } & AsyncDisposable> {
  const [name = '', port] = host.split(':');
  const server = createServer((near) => {
    const far = connect(Number(port), name);
    near.pipe(far).pipe(near);
    near.on('error', () => far.destroy());
    far.on('error', () => near.destroy());
  }).listen(0, ownAddress);
  await once(server, 'listening');
  return {
    host: `${ownAddress}:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await Promise.resolve();
    },
  };
}

test('buildx: what only an image in a registry has is in no archive, and files are named as they should', {
  skip,
}, async () => {
  const isIndex = async (options: string): Promise<boolean> => {
    await build(`-o type=oci,dest=a.tar${options} context`);
    const { manifests } = JSON.parse(await cli.ok('tar -xOf a.tar index.json'));
    return manifests[0].mediaType.includes('index');
  };
  assert.deepEqual([await isIndex(''), await isIndex(',attestation-inline=true')], [false, true]);
  await build('--provenance=true -o type=local,dest=prefixed,attestation-prefix=my- context');
  assert.ok(existsSync(join(cli.dir, 'prefixed/my-provenance.json')));
  const version = async (option: string): Promise<string> => {
    await build(`--provenance=mode=max,${option} -o type=local,dest=said context`);
    return JSON.parse(readFileSync(join(cli.dir, 'said/provenance.json'), 'utf8')).predicateType;
  };
  assert.equal(await version('version=v0.2'), 'https://slsa.dev/provenance/v0.2');
  assert.equal(await version('version=v1'), 'https://slsa.dev/provenance/v1');
});

test('buildx: options that cannot be are refused before anything is built', { skip }, async () => {
  const cases: [options: string, message: string][] = [
    ['-o type=image,oci-mediatypes=maybe', 'non-bool value "maybe" specified for oci-mediatypes'],
    ['-o type=image,compression=best', 'unsupported layer compression type "best"'],
    ['-o type=local,dest=x,platform-split=maybe', 'non-bool value "maybe" specified for platform-split'],
    ['-o type=local,dest=x,attestation-prefix=../', 'invalid attestation-prefix "../"'],
    ['--provenance=mode=some', 'invalid mode "some"'],
    ['--provenance=version=v9', 'invalid provenance SLSA version: v9'],
    ['--attest type=vex', 'unknown attestation type "vex"'],
  ];
  for (const [options, message] of cases) {
    const { code, stderr } = await cli.run(
      `docker buildx build --progress=plain --no-cache ${options} context`,
    );
    assert.equal(code, 1, options);
    assert.ok(stderr.includes(`ERROR: failed to build: failed to solve: ${message}`), stderr);
    assert.doesNotMatch(stderr, /RUN echo made/, options);
  }
});

test('buildx: attestations stand beside what was pushed', { skip }, async () => {
  const name = `${registry.host}/attested:1`;
  await build(`--push -t ${name} --provenance=mode=max --sbom=true context`);
  const provenance = JSON.parse(
    await cli.ok(`docker buildx imagetools inspect ${name} --format '{{json .Provenance}}'`),
  );
  assert.match(JSON.stringify(provenance), /slsa-definitions/);
  const bill = JSON.parse(await cli.ok(`docker buildx imagetools inspect ${name} --format '{{json .SBOM}}'`));
  assert.equal(bill.SPDX.spdxVersion, 'SPDX-2.3');
});

test('buildx: cache goes through a registry and through the image', { skip }, async () => {
  const ref = `${registry.host}/cache:1`;
  await build(`--cache-to type=registry,ref=${ref},mode=max context`);
  await build(`--push -t ${registry.host}/inline:1 --cache-to type=inline context`);
  for (const from of [ref, `${registry.host}/inline:1`]) {
    await cli.ok(
      'docker buildx prune -af >/dev/null; docker image rm -f $(docker image ls -q | grep -v $(docker image ls -q base)) >/dev/null 2>&1; true',
    );
    const shown = await build(`--cache-from type=registry,ref=${from} context`);
    assert.doesNotMatch(shown, /^#\d+ [\d.]+ ran$/m, shown);
    assert.match(shown, /RUN echo made[^\n]*\n(?:.*\n)*?#\d+ CACHED|CACHED/);
  }
});

test('buildx: cache goes through a folder of the client', { skip }, async () => {
  await build('--cache-to type=local,dest=cached,mode=max context');
  assert.ok(existsSync(join(cli.dir, 'cached/index.json')));
  await cli.ok('docker buildx prune -af >/dev/null');
  const shown = await build('--cache-from type=local,src=cached context');
  assert.doesNotMatch(shown, /^#\d+ [\d.]+ ran$/m, shown);
});

test('buildx: an OCI layout is written as a folder, and taken as a base', { skip }, async () => {
  await build('-o type=oci,tar=false,dest=laid -t from/laid context');
  assert.ok(existsSync(join(cli.dir, 'laid/index.json')));
  mkdirSync(join(cli.dir, 'above'), { recursive: true });
  writeFileSync(join(cli.dir, 'above/Dockerfile'), 'FROM under\nRUN cat /made\n');
  const shown = await build('--build-context under=oci-layout://laid above');
  assert.match(shown, /^#\d+ [\d.]+ made$/m);
});

test('buildx: annotations stand where they were wanted', { skip }, async () => {
  const name = `${registry.host}/annotated:1`;
  await build(
    `--push -t ${name} --provenance=mode=min --annotation index:i=1 --annotation manifest:m=2 context`,
  );
  const index = (await (await fetch(`${registry.url}/v2/annotated/manifests/1`)).json()) as {
    annotations: object;
    manifests: { digest: string }[];
  };
  assert.deepEqual(index.annotations, { i: '1' });
  const manifest = (await (
    await fetch(`${registry.url}/v2/annotated/manifests/${index.manifests[0]?.digest}`)
  ).json()) as { annotations: object };
  assert.deepEqual(manifest.annotations, { m: '2' });
});

test('buildx: a repository is a context', { skip }, async () => {
  const repository = new TestRepository(join(daemon.dir, 'srv/r.git'));
  repository.commit({
    'sub/Dockerfile': 'FROM base\nCOPY . /here\nRUN ls -A /here | tr "\\n" " "\n',
    'sub/x': '1',
    top: '2',
  });
  await using git = await serveGit(join(daemon.dir, 'srv'));
  const shown = await build(`'${git.url}/r.git/.git#main:sub'`);
  assert.match(shown, /Dockerfile x/);
  assert.match(await build(`'${git.url}/r.git/.git?branch=main&subdir=sub'`), /CACHED/);
});
