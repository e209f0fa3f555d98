import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { type ConfiguredRegistry, openRegistry, users } from '#tests/configured-registry.ts';
import { run, TestDaemon } from '#tests/daemon.ts';
import { type DebianRegistry, startDebianRegistry } from '#tests/debian-registry.ts';
import { DockerCli } from '#tests/docker-cli.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { until } from '#tests/until.ts';

// Docker's command, skopeo and Skiff itself as clients of our registry; Debian's docker-registry as its upstream.

let daemon: TestDaemon;
let docker: DockerCli;

before(async () => {
  daemon = await TestDaemon.start();
  docker = new DockerCli(daemon);
  await daemon.loadBusybox();
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
});

const rules = [
  { repositories: ['team/**'], who: ['alice'] },
  { repositories: ['team/**'], who: ['bob'], verbs: ['pull', 'list'] },
];

function hostOf({ url }: ConfiguredRegistry): string {
  return new URL(url).host;
}

async function useAsAlice(host: string): Promise<void> {
  await docker.checkAll([
    { line: `echo alice-pw | docker login -u alice --password-stdin ${host}`, out: /Login Succeeded/ },
    {
      line: `docker tag busybox ${host}/team/bb:1; docker push -q ${host}/team/bb:1`,
      out: `${host}/team/bb:1\n`,
    },
    { line: `docker push -q ${host}/team/bb:1`, out: `${host}/team/bb:1\n` },
    { line: `docker rmi ${host}/team/bb:1`, out: /Untagged/ },
    { line: `docker pull -q ${host}/team/bb:1`, out: `${host}/team/bb:1\n` },
    { line: `docker search --format '{{.Name}}' ${host}/bb`, out: 'team/bb\n' },
    {
      line: `docker tag busybox ${host}/other/x; docker push -q ${host}/other/x`,
      code: 1,
      err: /denied|403 Forbidden/,
    },
    { line: `docker logout ${host}`, out: /Removing login credentials/ },
    {
      line: `echo wrong | docker login -u alice --password-stdin ${host}`,
      code: 1,
      err: /unauthorized|401/i,
    },
  ]);
}

async function useSkopeo(host: string): Promise<void> {
  using dir = scratchDir();
  const skopeo = async (line: string, input = ''): Promise<{ code: number | null; all: string }> => {
    const { code, stdout, stderr } = await run('timeout', ['30', 'sh', '-c', `exec skopeo ${line}`], {
      env: {},
      input,
    });
    return { code, all: stdout + stderr };
  };
  const as = async (name: string): Promise<string> => {
    const file = dir.join(`${name}.json`);
    const login = await skopeo(
      `login --tls-verify=false --authfile ${file} -u ${name} --password-stdin ${host}`,
      `${name}-pw`,
    );
    assert.deepEqual(login, { code: 0, all: 'Login Succeeded!\n' });
    return `--authfile ${file}`;
  };
  const alice = await as('alice');
  const bob = await as('bob');
  const image = `docker://${host}/team`;
  const copy = 'copy -q --src-tls-verify=false --dest-tls-verify=false';
  assert.deepEqual(await skopeo(`${copy} ${alice} ${image}/bb:1 ${image}/copy:2`), { code: 0, all: '' });
  const tags = await skopeo(`list-tags --tls-verify=false ${bob} ${image}/copy`);
  assert.match(tags.all, /"Tags": \[\s*"2"\s*\]/);
  assert.equal((await skopeo(`${copy} ${bob} ${image}/bb:1 oci:${dir.join('oci')}:1`)).code, 0);
  const denied = await skopeo(`${copy} ${bob} ${image}/bb:1 ${image}/copy:3`);
  assert.equal(denied.code, 1);
  assert.match(denied.all, /denied|unauthorized|authentication required/);
  assert.equal((await skopeo(`delete --tls-verify=false ${bob} ${image}/copy:2`)).code, 1);
  assert.equal((await skopeo(`delete --tls-verify=false ${alice} ${image}/copy:2`)).code, 0);
  assert.match(
    (await skopeo(`inspect --tls-verify=false ${bob} ${image}/copy:2`)).all,
    /manifest unknown|not found/i,
  );
  assert.equal((await skopeo(`inspect --tls-verify=false --no-creds ${image}/bb:1`)).code, 1);
}

for (const [kind, issue] of [
  ['passwords', undefined],
  ['tokens', {}],
] as const) {
  test(`docker and skopeo with ${kind}: log in, push, pull, search, delete, and what is denied`, async () => {
    const auth = { htpasswd: { path: 'users' }, rules, ...(issue === undefined ? {} : { issue }) };
    await using registry = await openRegistry({ auth }, users('alice', 'bob'));
    await useAsAlice(hostOf(registry));
    await useSkopeo(hostOf(registry));
  });
}

test('docker pull through a cache: of a registry that wants a password, and when that registry is gone', async () => {
  const user = { name: 'robot', password: 'secret' };
  let upstream: DebianRegistry | undefined = await startDebianRegistry({ user });
  try {
    const cache = [
      {
        prefix: 'up',
        upstream: `http://${upstream.host}`,
        username: user.name,
        password: user.password,
        ttl: '1ms',
      },
    ];
    await using registry = await openRegistry({ cache });
    const [from, to] = [`${upstream.host}/lib/bb:1`, `${hostOf(registry)}/up/lib/bb:1`];
    await docker.checkAll([
      {
        line: `echo secret | docker login -u robot --password-stdin ${upstream.host}`,
        out: /Login Succeeded/,
      },
      {
        line: `docker tag busybox ${from}; docker push -q ${from}; docker rmi ${from} busybox`,
        out: /Untagged/,
      },
      { line: `docker run --rm ${to} echo from the cache`, out: 'from the cache\n' },
      {
        line: `docker tag ${to} busybox; docker push -q ${to}`,
        code: 1,
        err: /is a copy from|403 Forbidden/,
      },
      {
        line: `skopeo copy -q --src-tls-verify=false docker://${to} oci:${docker.dir}/copy:1`,
        out: '',
        err: '',
      },
      {
        line: `docker tag busybox ${to}; docker push -q ${to}`,
        code: 1,
        err: /is a copy from|403 Forbidden/,
      },
      { line: 'docker rmi -f $(docker images -q --no-trunc | sort -u)', out: /Deleted/ },
    ]);
    await upstream[Symbol.asyncDispose]();
    upstream = undefined;
    await docker.checkAll([
      { line: `docker run --rm ${to} echo still here`, out: 'still here\n' },
      { line: `docker tag ${to} busybox`, out: '' },
    ]);
  } finally {
    await upstream?.[Symbol.asyncDispose]();
  }
});

test('scripts/make-registry-image: an image whose registry runs in Skiff, as a user without rights, with users', async () => {
  const archive = `${docker.dir}/registry.tar`;
  const made = await run('scripts/make-registry-image', [archive], {
    env: { PATH: process.env['PATH'] ?? '' },
  });
  assert.deepEqual([made.code, made.stderr], [0, '']);
  using dir = scratchDir();
  // The registry in the image is not root.
  chmodSync(dir.path, 0o755);
  users('alice')(dir);
  writeFileSync(
    dir.join('registry.json'),
    JSON.stringify({ listen: [':5000'], auth: { htpasswd: { path: 'users' } } }),
  );
  await docker.checkAll([
    { line: `docker load -q -i ${archive}`, out: /skiff-registry:latest/ },
    {
      line: `docker run -d --name registry -p 127.0.0.1:5055:5000 -v ${dir.path}:/etc/skiff:ro -v registry:/var/lib/skiff-registry skiff-registry`,
      out: /^[0-9a-f]{64}\n$/,
    },
  ]);
  const host = '127.0.0.1:5055';
  await docker.says('registry', 'skiff-registry is ready');
  await until(async () => (await docker.run(`curl -fsS http://${host}/healthz`)).code === 0, {
    what: 'the registry',
  });
  await docker.checkAll([
    { line: `echo alice-pw | docker login -u alice --password-stdin ${host}`, out: /Login Succeeded/ },
    {
      line: `docker tag busybox ${host}/bb; docker push -q ${host}/bb; docker rmi ${host}/bb`,
      out: /Untagged/,
    },
    { line: `docker run --rm ${host}/bb echo round trip`, out: 'round trip\n' },
    { line: 'docker stop registry; docker inspect -f {{.State.ExitCode}} registry', out: 'registry\n0\n' },
    { line: 'docker rm -v registry', out: 'registry\n' },
  ]);
});
