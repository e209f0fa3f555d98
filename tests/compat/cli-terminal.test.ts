/** The command line as people have it, in a terminal: hidden input, progress, signals. The terminal is util-linux's script. */
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ApiAnswer, type ApiCall, FakeApi } from '#tests/fake-api.ts';
import { until } from '#tests/until.ts';
import { VirtualScreen } from '#tests/virtual-screen.ts';

const skiff = join(import.meta.dirname, '../../bin/skiff');

/** A run of skiff in a terminal of 100 columns and 20 lines. */
class TerminalRun implements Disposable {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #exit: Promise<unknown[]>;
  #output = '';

  constructor(api: FakeApi, args: string) {
    const line = `stty cols 100 rows 20; exec ${skiff} ${args}`;
    this.#process = spawn('script', ['-qefc', line, '/dev/null'], {
      env: {
        ...process.env,
        SKIFF_HOST: api.host,
        DOCKER_CONFIG: api.folder,
        TERM: 'xterm',
        LC_ALL: 'C.UTF-8',
      },
    });
    this.#process.stdout.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    this.#exit = once(this.#process, 'close');
  }

  /** All that was written to it. */
  get output(): string {
    return this.#output.replaceAll('\r\n', '\n');
  }

  /** What is to be seen. */
  get screen(): string {
    const screen = new VirtualScreen(100, 20);
    screen.write(this.output);
    return screen.text;
  }

  async shows(text: string): Promise<void> {
    await until(() => this.#output.includes(text), { what: `"${text}" on the terminal` });
  }

  type(keys: string): void {
    this.#process.stdin.write(keys);
  }

  async exitCode(): Promise<unknown> {
    const [code] = await this.#exit;
    return code;
  }

  [Symbol.dispose](): void {
    this.#process.kill('SIGKILL');
  }
}

function registry({ body }: ApiCall): ApiAnswer {
  const { password } = JSON.parse(body) as { password: string };
  if (password !== 'secret') return { status: 401, message: 'unauthorized' };
  return { json: { Status: 'Login Succeeded', IdentityToken: '' } };
}

test('login in a terminal: asks for the name, and for the password without showing it', async () => {
  await using api = new FakeApi(registry);
  using run = new TerminalRun(api, 'login reg');
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
  using run = new TerminalRun(api, 'login -u me reg');
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
  using run = new TerminalRun(api, 'pull x');
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
  using run = new TerminalRun(api, 'pull x');
  await run.shows('1/2 done');
  const hungUp = api.hungUp();
  run.type('\u0003');
  assert.equal(await run.exitCode(), 130);
  await hungUp;
  middle.resolve();
  assert.match(run.screen, /\nTotal {8}1\/2 done [^\n]*\n\^C$/);
});
