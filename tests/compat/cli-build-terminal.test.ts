/** `skiff build` with a daemon, as people have it in a terminal: shells in steps, what is to be seen. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';
import { leakCheck } from '#tests/leak-check.ts';
import { TerminalRun } from '#tests/terminal-run.ts';

let daemon: TestDaemon;

before(async () => {
  daemon = await TestDaemon.start();
  await daemon.loadBusybox();
});

after(() => daemon[Symbol.asyncDispose]());

/** A folder with a Dockerfile. */
function context(name: string, dockerfile: string): string {
  const folder = join(daemon.dir, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'Dockerfile'), dockerfile);
  return folder;
}

function build(args: string): TerminalRun {
  return new TerminalRun(`build ${args}`, { SKIFF_HOST: daemon.host, DOCKER_CONFIG: daemon.dir });
}

test('a shell in a step: it has the size of the terminal, Ctrl-C is its own, exit goes on', async () => {
  const folder = context('shell', 'FROM busybox\nRUN echo x >/made; exit 4\n');
  using run = build(`--on-error=shell ${folder}`);
  await run.shows('/ # ');
  run.type('stty size; sleep 1000\n');
  await run.shows('20 100');
  run.type('\u0003');
  await run.shows('^C\n/ # ');
  run.resize({ columns: 77, rows: 33 });
  run.type('until [ "$(stty size)" = "33 77" ]; do sleep 0.1; done; echo now $(cat /made)\n');
  await run.shows('now x');
  run.type('exit\n');
  assert.equal(await run.exitCode(), 1);
  assert.match(run.output, /exit code: 4\n$/);
});

test('a shell in a step: the detach keys leave it, whatever it does', async () => {
  const folder = context('left', 'FROM busybox\nRUN echo done\n');
  using run = build(`--debug-step 2 --progress plain ${folder}`);
  await run.shows('/ # ');
  run.type("trap '' INT TERM HUP; sleep 1000\n");
  await run.shows('sleep 1000\n');
  run.type('\u0010\u0011');
  assert.equal(await run.exitCode(), 0);
  assert.match(run.output, /#\d+ \d\.\d{3} done\n/);
});

test('a shell in a step: a window that is closed leaves nothing behind', async () => {
  const folder = context('closed', 'FROM busybox\nRUN false\n');
  await leakCheck(daemon, async () => {
    using run = build(`--on-error=shell ${folder}`);
    await run.shows('/ # ');
    run.type('sleep 1000 & sleep 1001\n');
    await run.shows('sleep 1001\n');
    run.close();
    await run.exitCode();
  });
});

test('in a terminal: what a step says cannot draw elsewhere, while it runs and when it has failed', async () => {
  const said = '\\033]0;title\\007\\033[2J\\033[Hred\\n';
  const folder = context('hostile', `FROM busybox\nRUN printf '${said}'; sleep 0.3; exit 9\n`);
  for (const progress of ['tty', 'plain']) {
    using run = build(`--no-cache --progress ${progress} ${folder}`);
    assert.equal(await run.exitCode(), 1);
    // oxlint-disable-next-line no-control-regex -- those that it draws with itself are allowed
    assert.doesNotMatch(run.output.replaceAll(/\u001b\[\d*[AJK]\r?/g, ''), /[\u0000-\u0009\u000b-\u001f]/);
    assert.match(run.output, /------\n > \[2\/2\] RUN .*:\n\d\.\d{3} red\n------\n/);
  }
});

test('in a terminal: ctrl-c ends the build and leaves a tidy screen', async () => {
  const folder = context('long', 'FROM busybox\nRUN echo began; sleep 1000\n');
  await leakCheck(daemon, async () => {
    using run = build(`--no-cache ${folder}`);
    await run.shows('     began');
    run.type('\u0003');
    assert.equal(await run.exitCode(), 130);
    assert.match(run.screen, /^building [\d.]+s, \d of \d steps done\n[^]*\n     began\n\^C$/);
  });
});
