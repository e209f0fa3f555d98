import assert from 'node:assert/strict';
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isKind } from '#/base/errors.ts';
import { newId } from '#/base/ids.ts';
import { cgroupDirs, detectCgroups } from '#/kernel/cgroup/layout.ts';
import { processStartTime } from '#/kernel/proc.ts';
import { RuntimeFixture } from '#tests/oci-bundle.ts';
import { AttachSession } from './attach.ts';
import { Children } from './children.ts';
import { type CreateRequest, type ExecProcess, Monitor } from './conmon.ts';
import { OciRuntime } from './crun.ts';
import { ExitWatcher } from './exit-watcher.ts';
import { StartError } from './failure.ts';
import { readLog } from './log/reader.ts';
import { buildSpec } from './spec/build.ts';
import type { ProcessInput } from './spec/input.ts';
import { ociProcess } from './spec/process.ts';
import { MonitorControl } from './terminal.ts';

const box = new RuntimeFixture();
const runtime = await OciRuntime.open({
  path: '/usr/bin/crun',
  root: box.runtimeRoot,
  sealed: join(box.dir, 'crun-sealed'),
});
const children = new Children();
const monitor = new Monitor({
  path: '/usr/bin/conmon',
  runtime,
  exitDir: box.exitDir,
  children,
  tmpDir: box.dir,
});
const exits = new ExitWatcher(box.exitDir);
after(() => {
  children[Symbol.dispose]();
  exits[Symbol.dispose]();
  runtime[Symbol.dispose]();
  box[Symbol.dispose]();
});

interface Container extends AsyncDisposable {
  readonly id: string;
  readonly bundle: string;
  readonly pid: number;
  attach(): AttachSession;
  start(): Promise<void>;
  /** Its exit code. */
  ended(): Promise<number>;
}

async function create(
  process: Partial<ProcessInput>,
  options: Partial<CreateRequest> = {},
): Promise<Container> {
  const id = newId();
  const bundle = join(box.dir, id);
  mkdirSync(bundle, { mode: 0o700 });
  const spec = buildSpec(box.specInput({}, process), box.host);
  const logPath = join(bundle, 'container.log');
  const terminal = spec.process.terminal;
  const request = { id, bundle, terminal, logPath, stdin: false, leaveStdinOpen: false, ...options };
  const { pid, monitorPid } = await monitor.prepare(request).create(spec);
  const ref = { pid: monitorPid, startTime: processStartTime(monitorPid) ?? '' };
  return {
    id,
    bundle,
    pid,
    attach: () => AttachSession.connect(join(bundle, 'attach')),
    start: () => runtime.start(id),
    ended: async () => (await exits.wait(id, { monitor: ref })).exitCode,
    [Symbol.asyncDispose]: () => runtime.delete(id),
  };
}

function shell(line: string): Partial<ProcessInput> {
  return { args: ['sh', '-c', line] };
}

/** Everything that a session gives, until its end. */
async function all(session: AttachSession): Promise<{ stdout: string; stderr: string }> {
  const text = { stdout: '', stderr: '' };
  for await (const frames of session.output()) {
    for (const { stream, data } of frames) text[stream] += data.toString('latin1');
  }
  return text;
}

let execs = 0;

async function exec(
  container: Container,
  process: Partial<ProcessInput>,
  options: { stdin?: boolean; attach?: boolean } = {},
): Promise<ExecProcess> {
  const folder = join(box.dir, `exec-${++execs}`);
  mkdirSync(folder, { mode: 0o700 });
  return monitor.exec({
    containerId: container.id,
    folder,
    process: ociProcess(box.processInput(process), box.host),
    stdin: false,
    attach: true,
    ...options,
  });
}

test('Monitor: output, log and exit code of a container', async () => {
  await using container = await create(shell('echo out; echo err >&2; printf end; exit 3'));
  using session = container.attach();
  await container.start();
  assert.equal(await container.ended(), 3);
  assert.deepEqual(await all(session), { stdout: 'out\nend', stderr: 'err\n' });
  const { signal } = new AbortController();
  const log = (
    await Array.fromAsync(readLog(join(container.bundle, 'container.log'), { unit: 'pieces', signal }))
  ).flat();
  const text = (stream: string): string =>
    log
      .filter((entry) => entry.stream === stream)
      .map(({ data }) => data.toString())
      .join('');
  assert.deepEqual([text('stdout'), text('stderr')], ['out\nend', 'err\n']);
});

test('Monitor: the second container with the same rules starts from the filter of the first', async () => {
  await using first = await create(shell('true'));
  await using second = await create(shell('grep Seccomp: /proc/self/status; unshare -m true'));
  const annotation = 'run.oci.seccomp_bpf_data';
  assert.ok(readFileSync(join(second.bundle, 'config.json'), 'utf8').includes(annotation));
  const filters = [first, second].map(({ id }) => readFileSync(join(runtime.root, id, 'seccomp.bpf')));
  assert.deepEqual(filters[0], filters[1]);
  using session = second.attach();
  await second.start();
  const { stdout, stderr } = await all(session);
  assert.equal(stdout, 'Seccomp:\t2\n');
  assert.match(stderr, /unshare.*Operation not permitted/);
});

test('Monitor: many short containers give all of their output', async () => {
  for (let round = 0; round < 20; round++) {
    await using container = await create(shell(`echo ${round}`));
    using session = container.attach();
    await container.start();
    assert.equal((await all(session)).stdout, `${round}\n`);
    assert.equal(await container.ended(), 0);
  }
});

test('Monitor: stdin is closed by the half-close of a session, unless it is to be left open', async () => {
  await using closing = await create(shell('cat; echo eof'), { stdin: true });
  using session = closing.attach();
  await closing.start();
  await session.write(Buffer.from('hello '));
  await session.closeStdin();
  assert.equal((await all(session)).stdout, 'hello eof\n');
  assert.equal(await session.write(Buffer.from('late')), false);
  await using staying = await create(shell('read a; read b; echo $a $b'), {
    stdin: true,
    leaveStdinOpen: true,
  });
  using first = staying.attach();
  using watcher = staying.attach();
  await staying.start();
  await first.write(Buffer.from('one\n'));
  await first.closeStdin();
  first[Symbol.dispose]();
  using second = staying.attach();
  await second.write(Buffer.from('two\n'));
  assert.equal((await all(watcher)).stdout, 'one two\n');
});

test('AttachSession: large input and output arrive whole, and a slow reader makes the process wait', async () => {
  const megabytes = 24;
  await using container = await create(shell('cat; sleep 0.1; echo end'), { stdin: true });
  using session = container.attach();
  await container.start();
  const block = Buffer.alloc(1 << 20, 'abcdefgh');
  const writing = (async () => {
    for (let count = 0; count < megabytes; count++) await session.write(block);
    await session.closeStdin();
  })();
  let bytes = 0;
  let largest = 0;
  for await (const frames of session.output()) {
    const size = frames.reduce((sum, { data }) => sum + data.length, 0);
    largest = Math.max(largest, size);
    bytes += size;
    // Time in which a reader that does not hold back would pile it all up.
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await writing;
  assert.equal(bytes, megabytes * (1 << 20) + 'end\n'.length);
  assert.ok(largest < 1.2 * (1 << 20), `${largest} bytes were held`);
});

test('AttachSession: a session that closes while the process writes leaves the others alone', async () => {
  await using container = await create(
    shell('read x; i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done'),
    {
      stdin: true,
      leaveStdinOpen: true,
    },
  );
  using stays = container.attach();
  const leaves = container.attach();
  await container.start();
  await stays.write(Buffer.from('go\n'));
  for await (const frames of leaves.output()) {
    assert.ok(frames.length > 0);
    break;
  }
  leaves[Symbol.dispose]();
  assert.equal((await all(stays)).stdout.split('\n').length, 2001);
});

test('Monitor: a terminal echoes, is one stream, and changes its size', async () => {
  await using container = await create({
    ...shell('stty size; read x; stty size; read y; stty size'),
    terminal: true,
    consoleSize: { height: 24, width: 80 },
  });
  using session = container.attach();
  const control = new MonitorControl(container.bundle);
  await container.start();
  let text = '';
  const sizes: [number, number][] = [
    [30, 100],
    [50, 132],
  ];
  for await (const frames of session.output()) {
    for (const { stream, data } of frames) {
      assert.equal(stream, 'stdout');
      text += data;
    }
    // Answers each size that is shown with the next ones.
    if (/\d+ \d+\r\n$/.test(text) && sizes.length > 0) {
      const [height, width] = sizes.shift() ?? [0, 0];
      await Promise.all([control.resize({ height: 1, width: 1 }), control.resize({ height, width })]);
      await new Promise((resolve) => setTimeout(resolve, 60));
      await session.write(Buffer.from('x\n'));
    }
  }
  assert.deepEqual(text.split('\r\n'), ['24 80', 'x', '30 100', 'x', '50 132', '']);
  assert.equal(await container.ended(), 0);
  const nobody = new MonitorControl(join(box.dir, 'nowhere'));
  await assert.rejects(nobody.resize({ height: 1, width: 1 }), (error) => isKind(error, 'conflict'));
});

test('Monitor: what cannot be started throws a StartError and leaves nothing', async () => {
  for (const [args, exitCode] of [
    [['nope'], 127],
    [['/etc'], 126],
  ] as const) {
    await assert.rejects(
      create({ args }),
      (error) => error instanceof StartError && error.exitCode === exitCode,
    );
  }
  const id = newId();
  const bundle = join(box.dir, id);
  mkdirSync(bundle);
  const spec = buildSpec(box.specInput({}, { args: ['nope'] }), box.host);
  const nothing = { id, bundle, terminal: false, logPath: undefined, stdin: false, leaveStdinOpen: false };
  await assert.rejects(monitor.prepare(nothing).create(spec));
  assert.equal(runtime.knows(id), false);
  const missing = new Monitor({
    path: '/nonexistent/conmon',
    runtime,
    exitDir: box.exitDir,
    children,
    tmpDir: box.dir,
  });
  assert.throws(() => missing.prepare(nothing), /cannot start conmon/);
});

test('Monitor: exec gives output, stdin, exit codes and errors', async () => {
  await using container = await create({ args: ['sleep', '1000'] });
  await container.start();
  const plain = await exec(container, shell('echo $A; id -u; exit 7'.replace('$A', 'out; echo err >&2')));
  using first = plain.session;
  assert.ok(first !== undefined);
  assert.deepEqual(await all(first), { stdout: 'out\n0\n', stderr: 'err\n' });
  assert.equal(await plain.exited, 7);
  const cat = await exec(container, { args: ['cat'] }, { stdin: true });
  using second = cat.session;
  assert.ok(second !== undefined);
  await second.write(Buffer.from('through'));
  await second.closeStdin();
  assert.equal((await all(second)).stdout, 'through');
  const detached = await exec(container, shell('kill -TERM $$'), { attach: false });
  assert.equal(detached.session, undefined);
  assert.equal(await detached.exited, 128 + 15);
  await assert.rejects(
    exec(container, { args: ['nope'] }),
    (error) => error instanceof StartError && error.exitCode === 127,
  );
  await assert.rejects(exec(container, { args: ['true'], cwd: '/nope' }), /chdir to cwd/);
  assert.equal(exits.read(container.id), undefined, 'the exit of an exec is not that of the container');
});

test('Monitor: fast execs lose no output, with and without a terminal', async () => {
  await using container = await create({ args: ['sleep', '1000'] });
  await container.start();
  for (let round = 0; round < 60; round++) {
    const { session, exited } = await exec(container, { args: ['echo', 'hi'], terminal: round % 2 === 1 });
    using open = session;
    assert.ok(open !== undefined);
    assert.equal((await all(open)).stdout.trim(), 'hi', `round ${round}`);
    assert.equal(await exited, 0);
  }
});

test('OciRuntime: kill, pause, resume, update, state, delete', async () => {
  await using container = await create(shell('trap "exit 5" TERM; while :; do sleep 0.01; done'));
  assert.equal((await runtime.state(container.id))?.status, 'created');
  await container.start();
  assert.equal((await runtime.state(container.id))?.status, 'running');
  await runtime.pause(container.id);
  assert.equal((await runtime.state(container.id))?.status, 'paused');
  await runtime.resume(container.id);
  await runtime.update(container.id, { memory: { limit: 32 << 20 }, pids: { limit: 33 } });
  const pids = readFileSync('/proc/self/mountinfo', 'utf8').includes('/sys/fs/cgroup/pids') ? '/pids' : '';
  const cgroup = readFileSync(`/proc/${container.pid}/cgroup`, 'utf8');
  const path = /:pids:(.*)/.exec(cgroup)?.[1] ?? /^0::(.*)$/m.exec(cgroup)?.[1];
  assert.equal(readFileSync(`/sys/fs/cgroup${pids}${path}/pids.max`, 'utf8').trim(), '33');
  const init = { pid: container.pid, startTime: processStartTime(container.pid) ?? '' };
  assert.throws(
    () => runtime.kill({ ...init, startTime: '1' }, 9),
    (error) => isKind(error, 'conflict'),
  );
  runtime.kill(init, 15);
  assert.equal(await container.ended(), 5);
  assert.throws(
    () => runtime.kill(init, 9),
    (error) => isKind(error, 'conflict'),
  );
  await assert.rejects(runtime.start(container.id), /start: /);
  await runtime.delete(container.id);
  assert.equal(await runtime.state(container.id), undefined);
  await runtime.delete(container.id);
});

test('OciRuntime: delete leaves neither state nor cgroup, of what ended, runs, or was never started', async () => {
  const ended = await create(shell('true'));
  await ended.start();
  await ended.ended();
  const running = await create({ args: ['sleep', '1000'] });
  await running.start();
  const created = await create(shell('true'));
  for (const { id } of [ended, running, created]) {
    const cgroup = JSON.parse(readFileSync(join(runtime.root, id, 'status'), 'utf8'))[
      'cgroup-path'
    ] as string;
    assert.ok(cgroup.length > 1);
    await runtime.delete(id);
    assert.equal(runtime.knows(id), false);
    for (const dir of cgroupDirs(detectCgroups(), cgroup)) assert.equal(existsSync(dir), false, dir);
  }
});

test('OciRuntime: the sealed program cannot be written', () => {
  // Not opened: that is ETXTBSY as long as somebody runs the program.
  assert.throws(() => accessSync(runtime.path, constants.W_OK), /EROFS/);
});

test('Monitor: a prepared monitor without a container ends', async () => {
  const id = newId();
  const bundle = join(box.dir, id);
  mkdirSync(bundle, { mode: 0o700 });
  const request = { id, bundle, terminal: false, logPath: undefined, stdin: false, leaveStdinOpen: false };
  const count = async (expected: number): Promise<void> => {
    for (let attempt = 0; attempt < 500 && monitorsOf(bundle).length !== expected; attempt += 1)
      await sleep(10);
    assert.equal(monitorsOf(bundle).length, expected);
  };
  {
    using _prepared = monitor.prepare(request);
    await count(1);
  }
  await count(0);
});

/** The pids of processes that name `bundle` on their command line. */
function monitorsOf(bundle: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(bundle);
    } catch {
      return false;
    }
  });
}
