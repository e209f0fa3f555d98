import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import Docker from 'dockerode';
import { fileHeader } from '#/tar/tar-entry.ts';
import { TestDaemon } from '#tests/daemon.ts';
import { DockerCli } from '#tests/docker-cli.ts';
import { tarOf } from '#tests/images.ts';
import { until } from '#tests/until.ts';

/** `docker build` as it builds without BuildKit, and dockerode. */

let daemon: TestDaemon;
let docker: DockerCli;
let api: Docker;

before(async () => {
  daemon = await TestDaemon.start();
  docker = new DockerCli(daemon);
  api = new Docker({ socketPath: daemon.socket });
  await daemon.loadBusybox();
});

after(() => daemon[Symbol.asyncDispose]());

/** Files of a context, below the folder of the command line. */
function context(name: string, files: Readonly<Record<string, string>>): void {
  for (const [path, content] of Object.entries(files)) {
    const at = join(docker.dir, name, path);
    mkdirSync(join(at, '..'), { recursive: true });
    writeFileSync(at, content);
  }
}

/** Without what differs from run to run. */
const normal = (text: string): string =>
  text
    .replaceAll('\r', '')
    .replaceAll(/\b[0-9a-f]{12}\b/g, 'ID')
    .replaceAll(/ [\d.]+k?B$/gm, ' SIZE');

const classic = 'DOCKER_BUILDKIT=0 docker build';

test('docker build: the words of the classic builder, with and without its cache', async () => {
  context('one', {
    Dockerfile: 'FROM busybox AS base\nARG V=1\nRUN echo out $V\nFROM base\nCOPY a /\nCMD ["cat", "/a"]\n',
    a: 'hello\n',
  });
  const { stdout, code } = await docker.run(`${classic} -t one -t two:x --label l=v --build-arg U=1 one`);
  assert.equal(code, 0);
  assert.deepEqual(normal(stdout).split('\n'), [
    'Sending build context to Docker daemon  SIZE',
    'Step 1/7 : FROM busybox AS base',
    ' ---> ID',
    'Step 2/7 : ARG V=1',
    ' ---> Running in ID',
    ' ---> Removed intermediate container ID',
    ' ---> ID',
    'Step 3/7 : RUN echo out $V',
    ' ---> Running in ID',
    'out 1',
    ' ---> Removed intermediate container ID',
    ' ---> ID',
    'Step 4/7 : FROM base',
    ' ---> ID',
    'Step 5/7 : COPY a /',
    ' ---> ID',
    'Step 6/7 : CMD ["cat", "/a"]',
    ' ---> Running in ID',
    ' ---> Removed intermediate container ID',
    ' ---> ID',
    'Step 7/7 : LABEL l=v',
    ' ---> Running in ID',
    ' ---> Removed intermediate container ID',
    ' ---> ID',
    '[Warning] One or more build-args [U] were not consumed',
    'Successfully built ID',
    'Successfully tagged one:latest',
    'Successfully tagged two:x',
    '',
  ]);
  const again = await docker.run(`${classic} one`);
  assert.equal(again.stdout.match(/ ---> Using cache/g)?.length, 4);
  await docker.checkAll([
    { line: 'docker run --rm two:x', out: 'hello\n' },
    { line: "docker inspect -f '{{json .Config.Labels}}' one", out: '{"l":"v"}\n' },
    { line: `${classic} -q one | cut -c1-7`, out: 'sha256:\n' },
    {
      line: `${classic} -q --no-cache --iidfile id one >/dev/null; docker run --rm $(cat id)`,
      out: 'hello\n',
    },
  ]);
});

test('docker build: a command that fails has its exit code, mistakes have their words', async () => {
  context('bad', {
    Dockerfile: 'FROM busybox\nRUN echo out; echo err >&2; exit 3\n',
    Unknown: 'FROM busybox\nFRM x\n',
    Missing: 'FROM busybox\nCOPY nope /\n',
    Outside: 'FROM busybox\nCOPY ../../etc/passwd /\n',
    Empty: '',
    Port: 'ARG A=busybox\nFROM $A\nEXPOSE port\nRUN true\n',
  });
  await docker.checkAll([
    {
      line: `${classic} bad`,
      code: 3,
      out: /\nout\n.\[91merr\n/,
      err: "The command '/bin/sh -c echo out; echo err >&2; exit 3' returned a non-zero code: 3",
    },
    {
      line: `${classic} -q bad`,
      code: 3,
      out: '',
      err: /Step 2\/2 : RUN echo out[^]*returned a non-zero code: 3/,
    },
    { line: `${classic} -f bad/Unknown bad`, code: 1, err: /unknown instruction: FRM/ },
    {
      line: `${classic} -f bad/Missing bad`,
      code: 1,
      err: 'COPY failed: file not found in build context or excluded by .dockerignore: stat nope: file does not exist',
    },
    { line: `${classic} -f bad/Outside bad`, code: 1, err: /not found/ },
    {
      line: `${classic} -f bad/Port bad`,
      code: 1,
      out: /Step 1\/4 : ARG A=busybox\nStep 2\/4 : FROM \$A\nStep 3\/4 : EXPOSE port\n$/,
      err: 'invalid containerPort: port',
    },
    {
      line: `printf 'FROM busybox\\nENV A\\n' | ${classic} -`,
      code: 1,
      err: 'failed to parse Dockerfile: ENV must have two arguments',
    },
    { line: `${classic} -f bad/Empty bad`, code: 1, err: 'cannot be empty' },
    { line: `${classic} --target nope one`, code: 1, err: 'target stage "nope" could not be found' },
    { line: `${classic} -t UPPER one`, code: 125, err: /must be lowercase|invalid/ },
    { line: `${classic} --network container:x --no-cache one`, code: 1, err: 'No such container: x' },
  ]);
});

test('docker build: contexts on standard input, compressed ones, ignore files, a Dockerfile from elsewhere', async () => {
  context('ignored', {
    Dockerfile: 'FROM busybox\nCOPY . /c\nRUN cd /c && find . -type f | sort\n',
    '.dockerignore': '# comment\nsecret\n**/*.log\nDockerfile\n.dockerignore\n!keep.log\n',
    secret: '',
    'sub/a.log': '',
    'keep.log': '',
    b: '',
  });
  context('elsewhere', { Dockerfile: 'FROM busybox\nRUN echo from elsewhere\n' });
  await docker.checkAll([
    { line: `${classic} ignored`, out: /\n\.\/b\n\.\/keep\.log\n ---> / },
    { line: `${classic} --compress ignored`, out: /\n\.\/b\n\.\/keep\.log\n|Using cache/ },
    { line: `${classic} -f elsewhere/Dockerfile ignored`, out: /\nfrom elsewhere\n/ },
    { line: `tar -C ignored -cJ . | ${classic} -`, out: /Successfully built/ },
    { line: `printf 'FROM busybox\\nRUN echo from input\\n' | ${classic} -`, out: /\nfrom input\n/ },
    { line: `printf 'FROM busybox\\nRUN cat /x/b\\nCOPY . /x' | ${classic} -f - ignored`, code: 1 },
  ]);
});

test('docker build: limits, hosts, networks and sizes reach the steps', async () => {
  context('limits', {
    Dockerfile:
      'FROM busybox\nRUN grep -w extra /etc/hosts; ulimit -n; df -k /dev/shm | tail -n 1 | tr -s " " | cut -d" " -f2; ls /sys/class/net\n',
  });
  const flags = '--add-host extra:1.2.3.4 --ulimit nofile=100:200 --shm-size 8m --network none';
  await docker.check({
    line: `${classic} ${flags} limits`,
    out: /\n1\.2\.3\.4\s+extra\n100\n8192\nlo\n/,
  });
});

test('docker build: a client that is killed ends its steps', async () => {
  context('long', { Dockerfile: 'FROM busybox\nRUN echo began; sleep 1000\n' });
  const steps = (): Promise<string> => docker.ok('pgrep -fc "^sleep 1000" || true');
  const line = `${classic} long >log & until grep -q began log; do :; done; kill -9 $!; wait $! || true`;
  await docker.run(line);
  await until(async () => (await steps()) === '0', { what: 'the end of the step' });
});

test('docker builder prune, system df, system prune', () =>
  docker.checkAll([
    {
      line: "docker system df --format '{{.Type}} {{.TotalCount}}' | grep -v '^Build Cache 0$' | tail -n 1",
      out: /^Build Cache \d+\n$/,
    },
    { line: 'docker builder prune -f --filter nope=1 2>&1 | tail -n 1', out: /invalid filter 'nope'/ },
    { line: 'docker builder prune -af 2>/dev/null | tail -n 1', out: /^Total reclaimed space: / },
    { line: 'docker system prune -f | tail -n 1', out: /^Total reclaimed space: / },
  ]));

interface Said {
  readonly stream?: string;
  readonly error?: string;
  readonly aux?: { readonly ID: string };
}

async function built(archive: Buffer, options: Docker.ImageBuildOptions): Promise<Said[]> {
  const { Readable } = await import('node:stream');
  const stream = await api.buildImage(Readable.from([archive]), options);
  return new Promise((resolve, reject) => {
    api.modem.followProgress(stream, (error: Error | null, said: Said[]) =>
      error === null ? resolve(said) : reject(error),
    );
  });
}

test('dockerode: the files of the context belong to root, whoever has them', async () => {
  const own = (path: string): { path: string; uid: number; gid: number } => ({ path, uid: 1000, gid: 1000 });
  const archive = await tarOf({ Dockerfile: 'FROM busybox\nCOPY d /d\nRUN stat -c %n:%u:%g /d /d/f\n' }, [
    { ...fileHeader('d', 0), ...own('d'), kind: 'directory', mode: 0o755, body: [] },
    { ...fileHeader('d/f', 0), ...own('d/f'), body: [] },
  ]);
  const said = await built(archive, {});
  assert.match(said.map(({ stream = '' }) => stream).join(''), /\n\/d:0:0\n\/d\/f:0:0\n/);
});

test('dockerode: buildImage with arguments, labels and a target; a failure is told in the stream', async () => {
  const archive = await tarOf({
    'sub/File': 'FROM busybox AS one\nARG A\nRUN echo "A is $A"\nFROM one\nRUN false\n',
  });
  const said = await built(archive, {
    t: 'rode:1',
    dockerfile: 'sub/File',
    target: 'one',
    buildargs: { A: 'b c' },
    labels: { by: 'dockerode' },
    registryconfig: { 'reg.example': { username: 'u', password: 'p' } },
  });
  assert.ok(said.some(({ stream }) => stream === 'A is b c\n'));
  const image = await api.getImage('rode:1').inspect();
  assert.equal(image.Id, said.find(({ aux }) => aux !== undefined)?.aux?.ID);
  assert.deepEqual(image.Config.Labels, { by: 'dockerode' });
  const failed = await built(archive, { dockerfile: 'sub/File' }).catch((error: Error) => error.message);
  assert.match(JSON.stringify(failed), /returned a non-zero code: 1/);
  await assert.rejects(built(archive, { dockerfile: 'nope' }), {
    statusCode: 400,
    message: /Cannot locate specified Dockerfile: nope/,
  });
});

test('docker build: events tell of the names that an image gets, and that it is new', async () => {
  context('told', { Dockerfile: 'FROM busybox\nRUN touch /told\n' });
  const id = await docker.ok(`${classic} -q -t told:1 told 2>/dev/null`);
  const events = await docker.ok(
    "docker events --since 0 --until $(date +%s.%N) --filter type=image --format '{{.Action}} {{.Actor.ID}} {{.Actor.Attributes.name}}'",
  );
  assert.deepEqual(events.split('\n').slice(-2), [`tag ${id} told:1`, `create ${id} ${id}`]);
});

test('GET /system/df: clients before version 1.42 get the size of the build cache', async () => {
  await docker.run(`printf 'FROM busybox\nRUN head -c 5000 /dev/zero >/f\n' | ${classic} -t sized -`);
  await docker.run('docker rmi sized');
  const sizeIn = async (version: string): Promise<unknown> => {
    const { value } = await daemon.json('GET', `/v${version}/system/df`);
    return (value as { BuilderSize?: number }).BuilderSize;
  };
  assert.ok(Number(await sizeIn('1.41')) >= 5000);
  assert.equal(await sizeIn('1.42'), undefined);
});

test('docker build --network container: steps see what the container sees, and it must run', async () => {
  await docker.ok(
    'docker run -d --name peer busybox sh -c "while :; do echo from-peer | nc -l -p 4242; done"',
  );
  context('joined', {
    Dockerfile: 'FROM busybox\nRUN until nc 127.0.0.1 4242 </dev/null | grep from-peer; do sleep 0.1; done\n',
  });
  const command = (name: string): string => `${classic} --no-cache --network container:${name} joined`;
  const ran = await docker.run(command('peer'));
  assert.match(ran.stdout, /\nfrom-peer\n/, ran.stderr);
  await docker.ok('docker kill peer');
  const dead = await docker.run(command('peer'));
  assert.match(
    dead.stderr,
    /cannot join network namespace of a non running container: container peer is exited/,
  );
  assert.match((await docker.run(command('nobody'))).stderr, /No such container: nobody/);
  await docker.ok('docker rm peer');
});
