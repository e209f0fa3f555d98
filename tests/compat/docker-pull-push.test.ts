import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';
import { type DebianRegistry, startDebianRegistry } from '#tests/debian-registry.ts';
import { DockerCli } from '#tests/docker-cli.ts';
import { tarOf } from '#tests/images.ts';
import { RemoteImages } from '#tests/remote-images.ts';

const user = { name: 'me', password: 's3cret' };

let daemon: TestDaemon;
let docker: DockerCli;
let open: DebianRegistry;
let guarded: DebianRegistry;

before(async () => {
  daemon = await TestDaemon.start();
  docker = new DockerCli(daemon);
  open = await startDebianRegistry();
  guarded = await startDebianRegistry({ user });
  await daemon.loadBusybox();
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
  await open[Symbol.asyncDispose]();
  await guarded[Symbol.asyncDispose]();
});

const digest = 'sha256:[0-9a-f]{64}';

test('docker push, pull, run: an image goes to a registry and comes back as it was', async () => {
  const name = `${open.host}/team/bb`;
  const id = await docker.ok('docker images -q --no-trunc busybox');
  await docker.check({
    line: `docker tag busybox ${name}:1; docker push ${name}:1 | cat`,
    out: new RegExp(
      `^The push refers to repository \\[${name}\\]\\n[0-9a-f]{12}: Preparing\\n[0-9a-f]{12}: Pushed\\n1: digest: ${digest} size: \\d+\\n$`,
    ),
    err: '',
  });
  await docker.check({
    line: `docker push ${name}:1 | cat`,
    out: new RegExp(`\\n[0-9a-f]{12}: Layer already exists\\n1: digest: ${digest} size: \\d+\\n$`),
  });
  const pushed = /"(sha256:.*)"/.exec(
    await docker.ok(`docker inspect -f '{{json (index .RepoDigests 0)}}' ${name}:1 | sed 's/.*@/"/'`),
  )?.[1];
  await docker.check({ line: `docker push -q ${name}:1`, out: `${name}:1\n` });
  await docker.check({ line: `docker rmi -f ${name}:1 busybox`, out: /Deleted: sha256/ });
  await docker.check({
    line: `docker pull ${name}:1 | cat`,
    out: new RegExp(
      `^1: Pulling from team/bb\\n[0-9a-f]{12}: Pulling fs layer\\n[0-9a-f]{12}: Verifying Checksum\\n[0-9a-f]{12}: Download complete\\n[0-9a-f]{12}: Pull complete\\nDigest: ${pushed}\\nStatus: Downloaded newer image for ${name}:1\\n${name}:1\\n$`,
    ),
    err: '',
  });
  assert.equal(await docker.ok(`docker images -q --no-trunc ${name}`), id);
  await docker.checkAll([
    {
      line: `docker pull ${name}:1 | cat`,
      out: `1: Pulling from team/bb\nDigest: ${pushed}\nStatus: Image is up to date for ${name}:1\n${name}:1\n`,
    },
    { line: `docker pull -q ${name}@${pushed}`, out: `${name}@${pushed}\n` },
    { line: `docker images --digests --format '{{.Tag}} {{.Digest}}' ${name}`, out: `1 ${pushed}\n` },
    { line: `docker run --rm ${name}:1 echo from afar`, out: 'from afar\n', err: '' },
    { line: `docker tag ${name}:1 busybox`, out: '' },
  ]);
});

test('docker run: pulls what is not here', async () => {
  const name = `${open.host}/team/wanted`;
  await docker.checkAll([
    { line: `docker tag busybox ${name}; docker push -q ${name}; docker rmi ${name}`, out: /Untagged/ },
    {
      line: `docker run --rm ${name} echo hi`,
      out: 'hi\n',
      err: new RegExp(`Unable to find image '${name}:latest' locally\\nlatest: Pulling from team/wanted\\n`),
    },
  ]);
});

test('docker push -a, pull -a: all tags of a repository', async () => {
  const name = `${open.host}/team/many`;
  await docker.checkAll([
    {
      line: `for t in a b c; do docker tag busybox ${name}:$t; done; docker push -a -q ${name}`,
      out: `${name}\n`,
    },
    { line: `docker rmi ${name}:a ${name}:b ${name}:c | wc -l`, out: /^[4-9]\n$/ },
    {
      line: `docker pull -a ${name} | cat`,
      out: /^(?:[abc]: Pulling from team\/many\nDigest: .*\n){3}Status: Downloaded newer image for /,
    },
    { line: `docker images --format '{{.Tag}}' ${name} | sort`, out: 'a\nb\nc\n' },
  ]);
});

test('docker push: a second repository gets its layers mounted', async () => {
  const name = `${open.host}/other/place`;
  await docker.check({
    line: `docker push -q ${open.host}/team/bb:1; docker tag busybox ${name}:1; docker push ${name}:1 | cat`,
    out: /[0-9a-f]{12}: Mounted from team\/[a-z]+\n1: digest/,
  });
});

test('docker login, pull, push: credentials are asked for, checked and used', async () => {
  const name = `${guarded.host}/private/bb`;
  const { name: me, password } = user;
  await docker.checkAll([
    {
      line: `docker tag busybox ${name}:1; docker push ${name}:1`,
      code: 1,
      err: /no basic auth credentials|unauthorized|authentication required/,
    },
    {
      line: `docker pull ${name}:1`,
      code: 1,
      err: /no basic auth credentials|unauthorized|authentication required/,
    },
    {
      line: `echo wrong | docker login -u ${me} --password-stdin ${guarded.host}`,
      code: 1,
      err: /401 Unauthorized|unauthorized/,
    },
    {
      line: `echo ${password} | docker login -u ${me} --password-stdin ${guarded.host}`,
      out: /Login Succeeded/,
    },
    { line: `docker push -q ${name}:1`, out: `${name}:1\n` },
    { line: `docker rmi ${name}:1; docker pull -q ${name}:1`, out: new RegExp(`${name}:1\n$`) },
    {
      line: `docker manifest inspect --insecure ${name}:1 >/dev/null; docker logout ${guarded.host}`,
      out: /Removing login/,
    },
    {
      line: `docker pull ${name}:1`,
      code: 1,
      err: /no basic auth credentials|unauthorized|authentication required/,
    },
  ]);
  assert.ok(!daemon.log.includes(password), 'the password is in the log');
});

test('docker pull: platforms of an index', async () => {
  const remote = new RemoteImages(open.host, 'team/multi');
  const made = [];
  for (const [architecture, variant] of [
    ['amd64', ''],
    ['arm64', ''],
    ['arm', 'v6'],
    ['arm', 'v7'],
  ]) {
    const platform = { os: 'linux', architecture, ...(variant === '' ? {} : { variant }) };
    const layers = [await tarOf({ arch: `${architecture}${variant}` })];
    made.push({ ...(await remote.image({ layers, config: platform })).manifest, platform });
  }
  await remote.index(made, 'all');
  await remote.index(made.slice(1), 'arm');
  await remote.image({ layers: [await tarOf({ x: 'y' })], tag: 'single' });
  const name = `${open.host}/team/multi`;
  const format = "-f '{{.Architecture}}{{.Variant}}'";
  await docker.checkAll([
    { line: `docker pull -q ${name}:all; docker inspect ${format} ${name}:all`, out: `${name}:all\namd64\n` },
    {
      line: `docker pull -q --platform linux/arm ${name}:all; docker inspect ${format} ${name}:all`,
      out: `${name}:all\narmv7\n`,
    },
    {
      line: `docker pull -q --platform linux/arm/v6 ${name}:all; docker inspect ${format} ${name}:all`,
      out: `${name}:all\narmv6\n`,
    },
    {
      line: `docker pull ${name}:arm`,
      code: 1,
      err: 'no matching manifest for linux/amd64 in the manifest list entries',
    },
    {
      line: `docker pull --platform linux/s390x ${name}:all`,
      code: 1,
      err: 'no matching manifest for linux/s390x in the manifest list entries',
    },
    {
      line: `docker pull --platform linux/arm64 ${name}:single 2>&1 | tail -2`,
      out: new RegExp(
        `WARNING: image with reference ${name}:single was found but its platform \\(linux/amd64\\) does not match the specified platform \\(linux/arm64\\)`,
      ),
    },
  ]);
});

test('docker pull, push: what cannot be is said clearly', () =>
  docker.checkAll([
    {
      line: `docker pull ${open.host}/team/bb:none`,
      code: 1,
      err: `manifest for ${open.host}/team/bb:none not found: manifest unknown`,
    },
    {
      line: `docker pull ${open.host}/no/such`,
      code: 1,
      err: `manifest for ${open.host}/no/such:latest not found`,
    },
    { line: 'docker pull 127.0.0.1:1/x', code: 1, err: /127\.0\.0\.1:1/ },
    {
      line: `docker push ${open.host}/team/absent`,
      code: 1,
      err: `An image does not exist locally with the tag: ${open.host}/team/absent`,
    },
    { line: `docker push ${open.host}/team/bb:absent`, code: 1, err: 'tag does not exist: ' },
  ]));

test('docker events: pull, tag, untag, push, with the attributes of Docker', async () => {
  const name = `${open.host}/team/bb`;
  const since = Date.now() / 1000;
  await docker.ok(
    `docker pull -q ${name}:1; docker tag ${name}:1 ${name}:2; docker push -q ${name}:2; docker rmi ${name}:2`,
  );
  const lines = await docker.ok(
    `docker events --since ${since} --until ${Date.now() / 1000 + 0.1} --format '{{.Action}} {{.Actor.ID}} {{.Actor.Attributes.name}}'`,
  );
  const id = await docker.ok(`docker inspect -f {{.Id}} ${name}:1`);
  assert.deepEqual(lines.split('\n'), [
    `pull ${name}:1 ${name}`,
    `tag ${id} ${name}:2`,
    `push ${name}:2 ${name}`,
    `untag ${id} ${id}`,
  ]);
});
