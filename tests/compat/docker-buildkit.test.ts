import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { makeBuildFolder } from '#tests/build-folder.ts';
import { run, TestDaemon } from '#tests/daemon.ts';
import { DockerCli } from '#tests/docker-cli.ts';

// From 23.0 on the docker command leaves building to Buildx: build-buildkit.test.ts. Before, it had BuildKit's client inside.
const { stdout: version } = await run('docker', ['version', '--format', '{{.Client.Version}}']);
const skip = Number(version.split('.')[0]) >= 23 && 'this docker command has no BuildKit of its own';

const daemon = await TestDaemon.start();
after(() => daemon[Symbol.asyncDispose]());
await daemon.loadBusybox();
const docker = new DockerCli(daemon);
makeBuildFolder(`${docker.dir}/p`);
writeFileSync(`${docker.dir}/token`, 'hunter2');

test('docker build (20.10, BuildKit by itself): the context, secrets, arguments, labels, tags', {
  skip,
}, async () => {
  const line =
    'docker build --progress plain --secret id=token,src=token --build-arg WORD=given --label x=y -t one:1 -t two --iidfile id p';
  const built = await docker.run(line);
  assert.equal(built.code, 0, built.stderr);
  assert.match(built.stderr, /transferring context: /);
  assert.match(built.stderr, /word: given/);
  assert.match(built.stderr, /naming to docker.io\/library\/one:1/);
  assert.doesNotMatch(built.stderr, /hunter2/);
  const id = readFileSync(`${docker.dir}/id`, 'utf8');
  await docker.checkAll([
    {
      line: 'docker image inspect two --format "{{.Id}} {{.Config.Labels}}"',
      out: `${id} map[from:file x:y]\n`,
    },
    { line: 'docker run --rm one:1', out: 'content of a\n' },
    { line: 'docker run --rm one:1 sh -c "cd /all; find . | sort"', out: listing },
    { line: 'docker run --rm one:1 cat /all/files/deep/link', out: 'content of a\n' },
  ]);
  const again = await docker.run(`${line} --secret id=token,src=token`);
  assert.match(again.stderr, /#\d+ CACHED/);
});

const listing = `.
./.dockerignore
./Dockerfile
./Empty
./Failing
./Wrong
./files
./files/a
./files/deep
./files/deep/link
./files/deep/run.sh
./files/hard
`;

test('docker build (20.10): quiet, from standard input, to a folder', { skip }, async () => {
  await docker.checkAll([
    { line: 'docker build -q p', out: /^sha256:[0-9a-f]{64}\n$/ },
    { line: 'tar -C p -c . | docker build -q -t piped -', out: /^sha256:[0-9a-f]{64}\n$/ },
    { line: 'docker run --rm piped', out: 'content of a\n' },
    { line: 'docker build -q - <p/Dockerfile', code: 1 },
    { line: 'printf "FROM busybox\\nRUN true\\n" | docker build -q -', out: /^sha256:[0-9a-f]{64}\n$/ },
    {
      line: 'docker build -f p/Empty -o out p && ls out && cat out/deep/run.sh',
      out: /deep\n.*hard\n#!\/bin\/sh/s,
    },
    { line: 'docker build -f p/Empty -o - p | tar -t', out: /deep\/run.sh/ },
  ]);
});

test('docker build (20.10): failures', { skip }, async () => {
  await docker.checkAll([
    {
      line: 'docker build --progress plain -f p/Failing p',
      code: 1,
      err: /before.*lost.*process "\/bin\/sh -c echo before; echo lost >&2; exit 9" did not complete successfully: exit code: 9/s,
    },
    {
      line: 'docker build -f p/Wrong p',
      code: 1,
      err: 'dockerfile parse error on line 2: unknown instruction: RUM',
    },
    { line: 'docker build -f p/Missing p', code: 1, err: /Missing: no such file or directory/ },
    { line: 'docker build --target nope p', code: 1, err: /nope/ },
  ]);
});
