/** The command line as people have it, in a terminal: hidden input, progress, signals. The terminal is util-linux's script. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type ApiAnswer, type ApiCall, FakeApi } from '#tests/fake-api.ts';
import { TerminalRun } from '#tests/terminal-run.ts';

/** A run of skiff in a terminal of 100 columns and 20 lines. */
function inTerminal(api: FakeApi, args: string): TerminalRun {
  return new TerminalRun(args, { SKIFF_HOST: api.host, DOCKER_CONFIG: api.folder });
}

function registry({ body }: ApiCall): ApiAnswer {
  const { password } = JSON.parse(body) as { password: string };
  if (password !== 'secret') return { status: 401, message: 'unauthorized' };
  return { json: { Status: 'Login Succeeded', IdentityToken: '' } };
}

test('login in a terminal: asks for the name, and for the password without showing it', async () => {
  await using api = new FakeApi(registry);
  using run = inTerminal(api, 'login reg');
  await run.shows('Username: ');
  run.type('me\n');
  await run.shows('Password: ');
  run.type('secrx\u007fet\r');
  assert.equal(await run.exitCode(), 0);
  assert.match(run.output, /^Username: me\nPassword: \n\nWARNING! [\s\S]*\nLogin Succeeded\n$/);
  assert.match(readFileSync(api.config, 'utf8'), /"auth": "bWU6c2VjcmV0"/);
});

test('login in a terminal: ctrl-c at the password', async () => {
  await using api = new FakeApi(registry);
  using run = inTerminal(api, 'login -u me reg');
  await run.shows('Password: ');
  run.type('sec\u0003');
  assert.equal(await run.exitCode(), 130);
  assert.deepEqual(api.calls, []);
});

/** What a daemon says of a pull that comes to a halt in the middle. */
async function* pull(middle: Promise<unknown>): AsyncGenerator<unknown> {
  const layer = (id: string, status: string, current?: number) => ({
    id,
    status,
    progressDetail: current === undefined ? {} : { current, total: 2_000_000 },
  });
  yield { status: 'Pulling from library/x', id: 'latest' };
  yield layer('aaaaaaaaaaaa', 'Already exists');
  yield layer('bbbbbbbbbbbb', 'Downloading', 1_000_000);
  await middle;
  yield layer('bbbbbbbbbbbb', 'Download complete');
  yield layer('bbbbbbbbbbbb', 'Pull complete');
  yield { status: 'Status: Downloaded newer image for x:latest' };
}

test('pull in a terminal: lines that move, then the summary', async () => {
  const middle = Promise.withResolvers<void>();
  await using api = new FakeApi(() => ({ stream: pull(middle.promise) }));
  using run = inTerminal(api, 'pull x');
  await run.shows('1/2 done');
  assert.match(
    run.screen,
    /^Using default tag: latest\nlatest: Pulling from library\/x\na{12} Already exists\nb{12} Downloading {8}━+─+ +1MB\/2MB.*\nTotal {8}1\/2 done .*1MB\/2MB.*$/,
  );
  middle.resolve();
  assert.equal(await run.exitCode(), 0);
  assert.match(
    run.screen,
    /^Using default tag: latest\nlatest: Pulling from library\/x\n2 layers, 1 there already: 2MB in .*\nStatus: Downloaded newer image for x:latest\ndocker\.io\/library\/x:latest$/,
  );
});

test('pull in a terminal: ctrl-c ends it and hangs up', async () => {
  const middle = Promise.withResolvers<void>();
  await using api = new FakeApi(() => ({ stream: pull(middle.promise) }));
  using run = inTerminal(api, 'pull x');
  await run.shows('1/2 done');
  const hungUp = api.hungUp();
  run.type('\u0003');
  assert.equal(await run.exitCode(), 130);
  await hungUp;
  middle.resolve();
  assert.match(run.screen, /\nTotal {8}1\/2 done [^\n]*\n\^C$/);
});
