import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, test } from 'node:test';
import { isKind } from '#/base/errors.ts';
import { RuntimeFixture } from '#tests/oci-bundle.ts';
import { Children } from './children.ts';
import { OciRuntime } from './crun.ts';
import { DirectRun } from './direct-run.ts';
import { StartError } from './failure.ts';
import { buildSpec } from './spec/build.ts';

const fixture = new RuntimeFixture();
const children = new Children();
const runtime = await OciRuntime.open({ path: '/usr/bin/crun', root: fixture.runtimeRoot });
after(() => {
  children[Symbol.dispose]();
  fixture[Symbol.dispose]();
});

function start(args: readonly string[]): DirectRun {
  const { id, bundle } = fixture.bundle();
  const input = fixture.specInput({}, { args });
  return new DirectRun({
    runtime,
    children,
    id,
    bundle,
    spec: buildSpec(input, fixture.host),
    stdin: false,
  });
}

async function textOf(run: DirectRun): Promise<string> {
  let text = '';
  for await (const frames of run.output())
    for (const { stream, data } of frames) text += `${stream}: ${data.toString()}`;
  return text;
}

test('DirectRun gives output and exit code, and leaves nothing', async () => {
  using run = start(['sh', '-c', 'echo out; sleep 0.1; echo err >&2; exit 7']);
  await run.started();
  assert.equal(await textOf(run), 'stdout: out\nstderr: err\n');
  assert.equal(await run.exited, 7);
  assert.deepEqual(readdirSync(fixture.runtimeRoot), []);
});

test('DirectRun says why a process cannot be started', async () => {
  using run = start(['/nowhere']);
  await assert.rejects(run.started(), (error) => {
    assert.ok(error instanceof StartError && isKind(error, 'invalid'));
    assert.match(error.message, /exec: "\/nowhere": stat \/nowhere: no such file or directory/);
    return error.exitCode === 127;
  });
  await run.exited;
  assert.deepEqual(readdirSync(fixture.runtimeRoot), []);
});

test('DirectRun ends all processes when it is killed, also before it has started', async () => {
  for (const early of [true, false]) {
    using run = start(['sh', '-c', 'sleep 1000 & exec sleep 1000']);
    if (early) run.kill();
    await run.started();
    run.kill();
    assert.equal(await run.exited, 137);
    assert.deepEqual(readdirSync(fixture.runtimeRoot), []);
  }
});

test('DirectRun holds a process back whose output nobody reads', async () => {
  using run = start(['sh', '-c', 'head -c 8000000 /dev/zero; echo done >&2']);
  await run.started();
  let bytes = 0;
  for await (const frames of run.output()) for (const { data } of frames) bytes += data.length;
  assert.equal(bytes, 8_000_005);
  assert.equal(await run.exited, 0);
});
