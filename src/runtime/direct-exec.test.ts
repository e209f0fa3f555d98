import assert from 'node:assert/strict';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { newId } from '#/base/ids.ts';
import { RuntimeFixture } from '#tests/oci-bundle.ts';
import { until } from '#tests/until.ts';
import { Children } from './children.ts';
import { Monitor } from './conmon.ts';
import { OciRuntime } from './crun.ts';
import type { DirectExec, DirectProcess } from './direct-exec.ts';
import { StartError } from './failure.ts';
import type { ProcessStreams } from './output-queue.ts';
import { buildSpec } from './spec/build.ts';
import type { ProcessInput } from './spec/input.ts';
import { ociProcess } from './spec/process.ts';

const box = new RuntimeFixture();
const runtime = await OciRuntime.open({ path: '/usr/bin/crun', root: box.runtimeRoot });
const children = new Children();
const monitor = new Monitor({
  path: '/usr/bin/conmon',
  runtime,
  exitDir: box.exitDir,
  children,
  tmpDir: box.dir,
});
const containerId = newId();

before(async () => {
  const bundle = join(box.dir, containerId);
  mkdirSync(bundle, { mode: 0o700 });
  const request = { id: containerId, bundle, terminal: false, logPath: undefined, stdin: false };
  const spec = buildSpec(box.specInput({}, { args: ['sleep', '1000'] }), box.host);
  await monitor.prepare({ ...request, leaveStdinOpen: false }).create(spec);
  await runtime.start(containerId);
});

after(async () => {
  await runtime.delete(containerId);
  children[Symbol.dispose]();
  box[Symbol.dispose]();
});

function ready(stdin: boolean = false): DirectExec {
  return monitor.directExec({ containerId, stdin });
}

function start(
  change: Partial<ProcessInput>,
  { stdin = false, exec = ready(stdin) }: { stdin?: boolean; exec?: DirectExec } = {},
): Promise<DirectProcess> {
  return exec.start(ociProcess(box.processInput(change), box.host));
}

function shell(line: string, stdin: boolean = false): Promise<DirectProcess> {
  return start({ args: ['sh', '-c', line] }, { stdin });
}

async function all(session: ProcessStreams): Promise<{ stdout: string; stderr: string }> {
  const text = { stdout: '', stderr: '' };
  for await (const frames of session.output())
    for (const { stream, data } of frames) text[stream] += data.toString('latin1');
  return text;
}

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

test('DirectExec: output, exit code, signal, and the pid that the daemon sees', async () => {
  const process = await shell('echo out; echo err >&2; exit 7');
  assert.deepEqual(await all(process.session), { stdout: 'out\n', stderr: 'err\n' });
  assert.equal(await process.exited, 7);
  const killed = await shell('exec sleep 1000');
  assert.ok(killed.pid > 1);
  globalThis.process.kill(killed.pid, 'SIGKILL');
  assert.equal(await killed.exited, 137);
  assert.equal((await all(killed.session)).stdout, '');
});

test('DirectExec: no descriptor of the runtime reaches the process', async () => {
  const { session } = await shell('ls /proc/self/fd | tr "\\n" " "; readlink /proc/self/fd/0');
  // ls itself opens 3 to read the folder.
  assert.equal((await all(session)).stdout, '0 1 2 3 /dev/null\n');
});

test('DirectExec: what cannot be started says why, in the code that a shell would give', async () => {
  const fails = async (change: Partial<ProcessInput>, code: number, message: RegExp): Promise<void> => {
    await assert.rejects(start(change), (error) => {
      assert.ok(error instanceof StartError);
      assert.match(error.message, message);
      return error.exitCode === code;
    });
  };
  await fails({ args: ['nonexist'] }, 127, /exec: "nonexist": executable file not found in \$PATH/);
  await fails({ args: ['/etc'] }, 126, /exec: "\/etc": permission denied/);
  await fails({ args: ['pwd'], cwd: '/nope' }, 127, /chdir to cwd \("\/nope"\)/);
});

test('DirectExec: a large description, input and output arrive whole, and the end of the input as well', async () => {
  const big = 'x'.repeat(120_000);
  const described = await start({ args: ['sh', '-c', 'echo ${#BIG}'], env: ['PATH=/bin', `BIG=${big}`] });
  assert.equal((await all(described.session)).stdout, '120000\n');
  const { session, exited } = await shell('cat; echo eof', true);
  const chunk = Buffer.alloc(1 << 20, 'y');
  const sent = (async () => {
    for (let count = 0; count < 8; count += 1) assert.equal(await session.write(chunk), true);
    await session.closeStdin();
  })();
  const { stdout } = await all(session);
  await sent;
  assert.equal(stdout.length, (8 << 20) + 4);
  assert.equal(await exited, 0);
  assert.equal(await session.write(chunk), false);
});

test('DirectExec: a reader that stays away stops the process, but not its end', async () => {
  const { session, exited } = await shell('dd if=/dev/zero bs=1k count=100 2>/dev/null; exit 3');
  assert.equal(await exited, 3);
  assert.equal((await all(session)).stdout.length, 100 << 10);
  const stopped = await shell('dd if=/dev/zero bs=1M count=8 2>/dev/null');
  const ended = await Promise.race([
    stopped.exited,
    new Promise((resolve) => setTimeout(resolve, 300, 'waits')),
  ]);
  assert.equal(ended, 'waits');
  assert.equal((await all(stopped.session)).stdout.length, 8 << 20);
});

test('DirectExec: the output ends with the process, also when another one holds it open', async () => {
  const { session, exited } = await shell('sleep 1000 & echo started $!');
  assert.match((await all(session)).stdout, /^started \d+\n$/);
  assert.equal(await exited, 0);
});

test('DirectExec: who leaves does not stop the process', async () => {
  const { session, exited } = await shell('dd if=/dev/zero bs=1M count=4 2>/dev/null && exit 5');
  session[Symbol.dispose]();
  assert.equal(await exited, 5);
});

test('DirectExec: one that is not used ends, and nothing stays open', async () => {
  // What is opened once only is open from here on.
  await (await shell('true')).exited;
  const descriptors = openDescriptors();
  const exec = ready(true);
  assert.ok(exec.waits && openDescriptors() > descriptors);
  exec[Symbol.dispose]();
  assert.ok(!exec.waits);
  const { session, exited } = await shell('cat', true);
  await session.closeStdin();
  await exited;
  session[Symbol.dispose]();
  await until(() => openDescriptors() === descriptors, {
    what: 'all descriptors are closed',
    patience: 5000,
  });
});

test('DirectExec: for a container that is not there it stops waiting and says so at the start', async () => {
  const exec = monitor.directExec({ containerId: newId(), stdin: false });
  await until(() => !exec.waits, { what: 'the end of the runtime', patience: 5000 });
  await assert.rejects(start({}, { exec }), StartError);
});
