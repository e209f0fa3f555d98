import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { InsideProcess, StepDebugger, StoppedStep } from '#/builder/debugger.ts';
import { StepError } from '#/builder/step-error.ts';
import { DockerfileError } from '#/dockerfile/errors.ts';
import { BuildBox } from '#tests/builds.ts';

const box = await BuildBox.open();
after(() => box[Symbol.asyncDispose]());

/** Runs a process in a step, with input; what it said and its exit code. */
async function inside(
  { start }: StoppedStep,
  process: InsideProcess,
  input: string = '',
): Promise<{ said: string; code: number }> {
  const run = start(process);
  await run.started();
  await run.write(Buffer.from(input));
  if (process.terminal === undefined) await run.closeStdin();
  let said = '';
  for await (const frames of run.output()) for (const { data } of frames) said += data.toString();
  return { said, code: await run.exited };
}

test('build: a failed step can be looked into, with its files and mounts', async () => {
  const said: string[] = [];
  const watcher: StepDebugger = {
    stopsBefore: () => false,
    stopsOnFailure: true,
    stopped: async (step) => {
      assert.ok(step.error instanceof StepError);
      assert.deepEqual(step.command, ['/bin/sh', '-c', 'echo x >/made; exit 4']);
      said.push((await inside(step, { args: ['sh'] }, 'cat /made; pwd; ls -d /cache; exit 3\n')).said);
      const shell = await inside(
        step,
        { args: ['sh'], terminal: { height: 24, width: 80 } },
        'tty; stty size; exit 5\n',
      );
      assert.equal(shell.code, 5);
      assert.match(shell.said, /\/dev\/pts\/0\r\n24 80\r\n/);
    },
  };
  const dockerfile =
    'FROM busybox\nWORKDIR /work\nRUN --mount=type=cache,target=/cache echo x >/made; exit 4\nRUN true';
  await assert.rejects(box.build(dockerfile, { watcher }), (error) => {
    return error instanceof DockerfileError && error.cause instanceof StepError;
  });
  assert.deepEqual(said, ['x\n/work\n/cache\n']);
  assert.deepEqual(readdirSync(join(box.dir, 'run/builds')), []);
});

test('build: the terminal of a shell in a step changes its size', async () => {
  let said = '';
  const watcher: StepDebugger = {
    stopsBefore: (name) => name.startsWith('[2/2]'),
    stopsOnFailure: false,
    stopped: async ({ start }) => {
      const script = 'trap "stty size; exit" WINCH; echo ready; while :; do sleep 0.01; done';
      const run = start({ args: ['sh', '-c', script], terminal: { height: 24, width: 80 } });
      await run.started();
      for await (const frames of run.output()) {
        for (const { data } of frames) said += data.toString();
        if (said.includes('ready')) run.resize({ height: 11, width: 222 });
      }
    },
  };
  await box.build('FROM busybox\nRUN true', { watcher });
  assert.match(said, /^11 222\r$/m);
});

test('build: a build stops before a step, cached or not, and goes on; nobody stays in it', async () => {
  const dockerfile = 'FROM busybox\nRUN echo one >/one\nRUN cat /one';
  await box.build(dockerfile);
  const stopped: string[] = [];
  const watcher: StepDebugger = {
    stopsBefore: (name) => name.startsWith('[3/3]'),
    stopsOnFailure: false,
    stopped: async (step) => {
      stopped.push(step.name);
      assert.equal(step.error, undefined);
      assert.equal((await inside(step, { args: ['cat', '/one'] })).said, 'one\n');
      const left = step.start({ args: ['sleep', '1000'] });
      await left.started();
    },
  };
  const built = await box.build(dockerfile, { watcher });
  assert.deepEqual(stopped, ['[3/3] RUN cat /one']);
  assert.equal(built.log, 'one\n');
  assert.deepEqual(readdirSync(join(box.dir, 'run/builds')), []);
});

test('build: what somebody does in a step before it runs is in this image, and in no cache', async () => {
  const dockerfile = 'FROM busybox\nRUN echo quiet\nRUN ls /';
  const watcher: StepDebugger = {
    stopsBefore: (name) => name.startsWith('[2/3]'),
    stopsOnFailure: false,
    stopped: async (step) => {
      await inside(step, { args: ['touch', '/sneaked'] });
    },
  };
  assert.match((await box.build(dockerfile, { watcher })).log, /sneaked/);
  assert.doesNotMatch((await box.build(dockerfile)).log, /sneaked/);
});
