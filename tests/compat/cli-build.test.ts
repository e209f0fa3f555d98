/** `skiff build` with a daemon: contexts, secrets, agents, outputs, what it says. */
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { type Ran, run, TestDaemon } from '#tests/daemon.ts';
import { leakCheck } from '#tests/leak-check.ts';
import { noSshKeygen, sshKey } from '#tests/ssh-keys.ts';
import { until } from '#tests/until.ts';

const program = join(import.meta.dirname, '../../bin/skiff');
let daemon: TestDaemon;
let folder: string;

before(async () => {
  daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  folder = join(daemon.dir, 'work');
  mkdirSync(folder);
});

after(() => daemon[Symbol.asyncDispose]());

/** Runs one line of shell, in the folder, where `skiff` is ours. */
function shell(line: string, env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const script = `skiff() { ${program} "$@"; }; cd ${folder}\n${line}`;
  const own = { SKIFF_HOST: daemon.host, DOCKER_CONFIG: folder, TZ: 'UTC', ...env };
  return run('timeout', ['-k', '1', '60', 'bash', '-o', 'pipefail', '-c', script], { env: own });
}

async function ok(line: string, env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const ran = await shell(line, env);
  assert.equal(ran.code, 0, `${line}\n${ran.stdout}${ran.stderr}`);
  return ran;
}

function context(name: string, files: Readonly<Record<string, string>>): void {
  rmSync(join(folder, name), { recursive: true, force: true });
  for (const [path, content] of Object.entries(files)) {
    const at = join(folder, name, path);
    mkdirSync(join(at, '..'), { recursive: true });
    writeFileSync(at, content);
  }
}

/** A build that goes on until it is killed. */
class Building {
  readonly #process: ChildProcessByStdio<null, null, Readable>;
  readonly #closed: Promise<unknown>;
  said = '';

  constructor(...args: readonly string[]) {
    this.#process = spawn(program, ['build', ...args], {
      env: { ...process.env, SKIFF_HOST: daemon.host },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process.stderr.on('data', (chunk: Buffer) => (this.said += chunk.toString()));
    this.#closed = once(this.#process, 'close');
  }

  async says(words: string): Promise<void> {
    await until(() => this.said.includes(words), { what: `the build says "${words}"` });
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#closed;
  }
}

/** Bytes of contexts that a build has sent. */
function transferred(rawJson: string): number {
  const statuses = rawJson
    .trim()
    .split('\n')
    .flatMap((line) => (JSON.parse(line) as { statuses?: { id: string; current: number }[] }).statuses ?? []);
  return Math.max(
    0,
    ...statuses.filter(({ id }) => id.startsWith('transferring')).map(({ current }) => current),
  );
}

test('skiff build: only what has changed of a context travels', async () => {
  context('many', {
    Dockerfile: 'FROM busybox\nCOPY . /c\nRUN cd /c && find . -type f | sort | xargs cat\n',
    '.dockerignore': 'ignored\n',
    'a/one': 'x'.repeat(1000),
    two: 'y'.repeat(500),
    ignored: 'z'.repeat(3000),
  });
  symlinkSync('/etc/passwd', join(folder, 'many/outside'));
  const build = async (): Promise<string> => (await ok('skiff build -t many --progress rawjson many')).stderr;
  const first = transferred(await build());
  assert.ok(first > 1500 && first < 2000, String(first));
  assert.equal(transferred(await build()), 0);
  writeFileSync(join(folder, 'many/two'), 'changed');
  assert.equal(transferred(await build()), 7);
  rmSync(join(folder, 'many/a'), { recursive: true });
  assert.equal(transferred(await build()), 0);
  const { stdout } = await ok('skiff run --rm many sh -c "ls -A /c; readlink /c/outside; cat /c/two"');
  assert.equal(stdout, '.dockerignore\nDockerfile\noutside\ntwo\n/etc/passwd\nchanged');
});

test('skiff build: what it says, in each way', async () => {
  context('said', { Dockerfile: 'FROM busybox AS a\nRUN echo hello; sleep 0.1\n' });
  const plain = await ok('skiff build --no-cache -t said said');
  assert.equal(plain.stdout, '');
  assert.match(plain.stderr, /^#\d+ \[1\/2\] FROM docker\.io\/library\/busybox:latest$/m);
  assert.match(
    plain.stderr,
    /^#\d+ \[2\/2\] RUN echo hello; sleep 0\.1\n#\d+ \d\.\d{3} hello\n#\d+ DONE \d\.\ds$/m,
  );
  assert.match(plain.stderr, /^#\d+ naming to docker\.io\/library\/said:latest done$/m);
  assert.match((await ok('skiff build said')).stderr, /^#\d+ \[2\/2\] RUN .*\n#\d+ CACHED$/m);
  const quiet = await ok('skiff build -q said');
  assert.match(quiet.stdout, /^sha256:[0-9a-f]{64}\n$/);
  assert.equal(quiet.stderr, '');
  const other = await ok('skiff build said', { BUILDKIT_PROGRESS: 'quiet' });
  assert.deepEqual([other.stdout, other.stderr], [quiet.stdout, '']);
  assert.equal((await ok('skiff build --progress none said')).stdout, '');
  const files = 'skiff build -q -t said:2 --iidfile id --metadata-file meta said';
  const { stdout } = await ok(`${files} >out; cat id; echo; cat out`);
  assert.equal((await shell('skiff build --iidfile id --target nope said; ls id')).stdout, '');
  assert.equal((await ok('skiff build --iidfile /dev/stdout said | cat')).stdout, quiet.stdout.trim());
  assert.deepEqual(new Set(stdout.trim().split('\n')).size, 1);
  const metadata = JSON.parse(readFileSync(join(folder, 'meta'), 'utf8'));
  assert.equal(metadata['containerimage.config.digest'], quiet.stdout.trim());
  const live = await ok(
    `script -qec "stty cols 80 rows 24; TERM=xterm ${program} build --no-cache -t said said" /dev/null`,
  );
  assert.match(live.stdout, /\[2\/2\] RUN echo hello/);
  assert.match(live.stdout, /built in \d+\.\ds: \d+ steps/);
});

test('skiff build: a failing step shows its output and its place, and ends with an exit code', async () => {
  context('failing', { Dockerfile: 'FROM busybox\nRUN echo before; \\\n  exit 7\n' });
  const { code, stdout, stderr } = await shell('skiff build failing');
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(stderr, /\n------\n > \[2\/2\] RUN echo before; {3}exit 7:\n\d\.\d{3} before\n------\n/);
  assert.match(stderr, /\nDockerfile:2\n-+\n {3}1 \| {5}FROM busybox\n {3}2 \| >>> RUN echo before; \\\n/);
  assert.match(
    stderr,
    /\nERROR: failed to build: failed to solve: process .* did not complete successfully: exit code: 7\n$/,
  );
  const quiet = await shell('skiff build -q failing');
  assert.match(quiet.stderr, /^------\n > \[2\/2\] RUN/);
});

test('skiff build: wrong command lines and wrong inputs', async () => {
  context('wrong', { Dockerfile: 'FROM busybox\n', Unknown: 'FRM x\n' });
  const cases: [line: string, error: RegExp][] = [
    ['skiff build nope', /unable to prepare context: path "nope" not found/],
    ['skiff build ""', /please specify build context \(e\.g\. "\." for the current directory\)/],
    [
      'skiff build wrong/Unknown',
      /path "wrong\/Unknown" is not a directory; if it is the Dockerfile: --file /,
    ],
    ['skiff build -f nope wrong', /failed to read dockerfile: open nope: no such file or directory/],
    ['skiff build -f - wrong </dev/null', /the Dockerfile cannot be empty: standard input is/],
    ['skiff build -f /dev/null wrong', /the Dockerfile cannot be empty: "\/dev\/null" is/],
    ['head -c 1000 /dev/zero | skiff build -', /neither a Dockerfile nor an archive of a known kind/],
    ['skiff build git@host:repository.git', /there is no SSH agent for --ssh default/],
    ['skiff build --cache-to type=gha wrong', /cache of type gha is not implemented/],
    ['skiff build -f wrong/Unknown wrong', /unknown instruction: FRM \(did you mean FROM\?\)/],
    ['skiff build -t UPPER wrong', /invalid tag "UPPER": .*must be lowercase/],
    ['skiff build --progress x wrong', /invalid progress mode x: one of auto, /],
    ['skiff build --progress tty wrong', /--progress tty needs a terminal/],
    ['skiff build -q --progress plain wrong', /progress=plain and quiet cannot be used together/],
    ['skiff build --target nope wrong', /target stage "nope" could not be found/],
    ['skiff build --output type=nope wrong', /exporter "nope" could not be found/],
    ['skiff build --output type=local wrong', /dest is required for local exporter/],
    ['skiff build --push wrong', /tag is needed when pushing to registry/],
    ['skiff build --secret id=a,src=nope wrong', /failed to read the secret "a": open nope: no such file/],
    ['skiff build --ssh default wrong', /SSH_AUTH_SOCK/],
    ['skiff build --platform a/b/c/d wrong', /cannot parse platform specifier/],
    ['skiff build --build-context x wrong', /invalid context value: x, expected key=value/],
    ['skiff build --attest type=x wrong', /unknown attestation type "x"/],
    ['skiff build --on-error wait wrong', /invalid value "wait" for --on-error: one of exit, shell/],
    ['skiff build --debug-step x wrong', /for --debug-step: a number, or stage:number/],
    [
      'skiff build --security-opt x wrong',
      /security options are not supported on linux \(--security-opt x\)/,
    ],
    ['skiff build -o type=oci,tar=x,dest=r wrong', /invalid value "x" for tar in --output/],
    ['skiff build -o wrong/Dockerfile wrong', /destination directory wrong\/Dockerfile is a file/],
    ['skiff build --builder other wrong', /no builder "other" found/],
    ['skiff build --allow everything wrong', /unknown entitlement "everything"/],
    ['skiff build - </dev/null -f -', /can't use stdin for both build context and dockerfile/],
  ];
  for (const [line, error] of cases) {
    const { code, stdout, stderr } = await shell(line);
    assert.deepEqual([code, stdout], [1, ''], line);
    assert.match(stderr, error, line);
    assert.match(stderr, /(?:^|\n)(?:ERROR: failed to build: |no builder)/, line);
  }
  assert.equal((await shell('skiff build')).code, 1);
  assert.equal((await shell('skiff build --nope wrong')).code, 125);
});

test('skiff build: contexts on standard input, Dockerfiles from elsewhere, named contexts', async () => {
  context('here', { a: 'here\n', Dockerfile: 'FROM busybox\nCOPY a /\nCMD ["cat", "/a"]\n' });
  context('there', { n: 'there\n', '.dockerignore': 'secret\n', secret: 'x' });
  const printed = async (image: string): Promise<string> => (await ok(`skiff run --rm ${image}`)).stdout;
  await ok('tar -C here -cz . | skiff build -t piped -');
  assert.equal(await printed('piped'), 'here\n');
  await ok('mkdir other; cp here/Dockerfile other/D; skiff build -t elsewhere -f other/D here');
  assert.equal(await printed('elsewhere'), 'here\n');
  await ok(`printf 'FROM busybox\\nCMD ["echo", "alone"]' | skiff build -t alone -`);
  assert.equal(await printed('alone'), 'alone\n');
  const named = 'FROM base\\nCOPY --from=more . /more\\nCMD ["sh", "-c", "cd /more; ls -A; cat n"]';
  await ok(
    `printf '${named}' | skiff build -t named -f - --build-context more=there --build-context base=docker-image://busybox here`,
  );
  assert.equal(await printed('named'), '.dockerignore\nn\nthere\n');
});

test('skiff build: a secret is there for its step and nowhere else', async () => {
  const value = `secret-${process.pid}-value`;
  context('secrets', {
    Dockerfile:
      'FROM busybox\nRUN --mount=type=secret,id=file cat /run/secrets/file\nRUN --mount=type=secret,id=var,env=V echo "$V"\n',
    value,
  });
  const line =
    'skiff build --no-cache -t secrets --secret id=file,src=secrets/value --secret id=var,env=OWN - <secrets/Dockerfile';
  const { stderr } = await ok(line, { OWN: `${value}-2` });
  assert.match(stderr, new RegExp(`\\d ${value}\\n`));
  assert.match(stderr, new RegExp(`\\d ${value}-2\\n`));
  const unset = await ok('skiff build --no-cache --secret id=file,env=UNSET - <secrets/Dockerfile');
  assert.match(unset.stderr, /WARNING: the secret "file" is empty: the variable "UNSET" is not set\n/);
  const traces = await shell(
    `{ skiff history --no-trunc secrets; skiff inspect secrets; skiff builder du --verbose; skiff save secrets; } | grep -ac ${value}`,
  );
  assert.equal(traces.stdout.trim(), '0');
  assert.equal((await shell(`grep -rac ${value} ${daemon.dir}/data/state.db*`)).stdout.includes(':1'), false);
  assert.doesNotMatch(daemon.log, new RegExp(value));
});

/** The socket of the agent in the step that runs. */
async function stepAgent(): Promise<string> {
  const [socket = ''] = await Array.fromAsync(glob(`${daemon.dir}/run/**/memory/*/f`));
  return socket;
}

test('skiff build: an SSH agent of the client answers in a step', async (t) => {
  const path = join(folder, 'agent.sock');
  const asked: Buffer[] = [];
  const agent = createServer((socket) => {
    // An answer without keys.
    socket.on(
      'data',
      (request: Buffer) => asked.push(request) && socket.write(Buffer.of(0, 0, 0, 5, 12, 0, 0, 0, 0)),
    );
  }).listen(path);
  t.after(() => agent.close());
  await once(agent, 'listening');
  context('ssh', {
    Dockerfile: 'FROM busybox\nRUN --mount=type=ssh test -S "$SSH_AUTH_SOCK" && echo ready && sleep 1000\n',
  });
  const building = new Building('--no-cache', '--ssh', `default=${path}`, join(folder, 'ssh'));
  await building.says(' ready');
  const socket = await stepAgent();
  for (let round = 0; round < 2; round += 1) {
    const client = connect(socket);
    const answers: number[] = [];
    client.on('data', (chunk: Buffer) => answers.push(...chunk));
    client.write(Buffer.of(0, 0, 0, 1, 11, 0, 0, 0, 1, 19));
    await until(() => answers.length === 14, { what: 'two answers' });
    // To forget all keys is refused here.
    assert.deepEqual(answers, [0, 0, 0, 5, 12, 0, 0, 0, 0, 0, 0, 0, 1, 5]);
    client.destroy();
  }
  const question = Buffer.of(0, 0, 0, 1, 11);
  assert.deepEqual(asked, [question, question]);
  await building.kill();
});

test('skiff build: keys in files instead of an agent', { skip: noSshKeygen }, async () => {
  const keys = ['ed25519', 'ecdsa'].map((type) => sshKey(join(folder, `key-${type}`), '-t', type));
  context('keys', { Dockerfile: 'FROM busybox\nRUN --mount=type=ssh,id=git echo ready; sleep 1000\n' });
  const building = new Building('--no-cache', '--ssh', `git=${keys.join(',')}`, join(folder, 'keys'));
  await building.says(' ready');
  const env = { SSH_AUTH_SOCK: await stepAgent() };
  const tested = await run('ssh-add', ['-T', ...keys.map((path) => `${path}.pub`)], { env });
  assert.deepEqual([tested.code, tested.stderr], [0, '']);
  await building.kill();
  const [secret = ''] = readFileSync(keys[0] ?? '', 'utf8')
    .split('\n')
    .slice(-3);
  assert.doesNotMatch(daemon.log + building.said, new RegExp(secret.replaceAll('+', '\\+')));
});

test('skiff build: results as files, as archives, on standard output', async () => {
  context('out', {
    Dockerfile: 'FROM scratch\nCOPY --chmod=640 file /dir/\nCOPY sub /\n',
    file: 'text',
    'sub/x': '',
  });
  symlinkSync('dir/file', join(folder, 'out/sub/link'));
  await ok('skiff build -o result out');
  assert.deepEqual(readdirSync(join(folder, 'result'), { recursive: true, encoding: 'utf8' }).sort(), [
    'dir',
    'dir/file',
    'link',
    'x',
  ]);
  assert.equal(readFileSync(join(folder, 'result/link'), 'utf8'), 'text');
  assert.equal(lstatSync(join(folder, 'result/dir/file')).mode & 0o777, 0o640);
  assert.equal((await ok('skiff build -o - out 2>/dev/null | tar -x --to-stdout dir/file')).stdout, 'text');
  await ok('skiff build -o type=tar,dest=made/r.tar out');
  assert.match((await ok('tar -tf made/r.tar')).stdout, /^dir\/$/m);
  await ok('skiff build -t exported -o type=docker,dest=d.tar out; skiff load -i d.tar');
  assert.match((await ok('skiff images -q exported')).stdout, /^[0-9a-f]{12}\n$/);
  await ok('skiff build -o type=oci,dest=o.tar out; tar -xOf o.tar oci-layout');
  await ok('skiff build -t one:1 -o type=oci,tar=false,dest=layout out');
  await ok('skiff build -t two:1 -o type=docker,tar=false,dest=layout out');
  await ok(
    `printf 'FROM one\\nCOPY --from=two x /y' | skiff build -o both - --build-context one=oci-layout://layout:1 --build-context two=oci-layout://layout:1`,
  );
  assert.deepEqual(readdirSync(join(folder, 'both')).sort(), ['dir', 'link', 'x', 'y']);
  // Nothing is written through links that are there already.
  symlinkSync(folder, join(folder, 'trap'));
  mkdirSync(join(folder, 'trapped'));
  symlinkSync('/tmp', join(folder, 'trapped/dir'));
  const trapped = await shell('skiff build -o trapped out');
  assert.equal(trapped.code, 1);
  assert.match(trapped.stderr, /cannot write into .*trapped\/dir: it is there and not a folder/);
});

test('skiff build: --explain tells what changed, --check what could be better', async () => {
  context('explained', { Dockerfile: 'FROM busybox\nARG V=1\nRUN echo $V\n' });
  await ok('skiff build explained');
  assert.match((await ok('skiff build --explain explained')).stderr, /#\d+ CACHED\n#\d+ why: cached/);
  const changed = await ok('skiff build --explain --build-arg V=2 explained');
  assert.match(changed.stderr, /#\d+ why: .*V.*"1" -> "2"/);
  const checked = await shell("printf 'FROM busybox\\nCMD sh\\n' | skiff build --check -");
  assert.equal(checked.code, 1);
  assert.match(
    checked.stdout,
    /^Check complete, 1 warning has been found!\n\nWARNING: JSONArgsRecommended - /,
  );
});

test('skiff build: a shell where a step failed, and one before a step', async () => {
  context('stopped', { Dockerfile: 'FROM busybox AS b\nRUN echo x >/made; exit 4\n' });
  const failed = await shell("printf 'cat /made; exit 3' | skiff build --on-error shell stopped");
  assert.equal(failed.code, 1);
  assert.match(
    failed.stderr,
    /\nfailed in \[2\/2\] RUN [^\n]*exit code: 4\n[^\n]*\n[^\n]*the build fails\nx\n/,
  );
  context('stopped', { Dockerfile: 'FROM busybox AS b\nRUN echo one >/one\nRUN cat /one\n' });
  for (const step of ['3', 'b:3']) {
    const { stderr } = await ok(`echo 'ls /one' | skiff build --debug-step ${step} stopped`);
    assert.match(stderr, /\nstopped before \[3\/3\] RUN cat \/one\n[^\n]*\n[^\n]*the build goes on\n\/one\n/);
  }
});

test('skiff build: a client that is killed leaves no step and nothing else behind', async () => {
  context('long', { Dockerfile: 'FROM busybox\nRUN echo began; sleep 1000\n', big: 'x'.repeat(100_000) });
  await leakCheck(daemon, async () => {
    const building = new Building('--no-cache', join(folder, 'long'));
    await building.says(' began');
    await building.kill();
  });
});
