import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { hashSync } from 'bcryptjs';
import { scratchDir } from '#tests/scratch-dir.ts';
import { until } from '#tests/until.ts';
import { run } from './run.ts';

interface Running extends AsyncDisposable {
  readonly process: ChildProcess;
  readonly url: string;
  /** What it said so far. */
  readonly said: () => string;
}

async function start(...argv: readonly string[]): Promise<Running> {
  const child = spawn(process.execPath, [new URL('./main.ts', import.meta.url).pathname, ...argv]);
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += String(chunk);
  });
  child.stdout.resume();
  const exited = once(child, 'exit');
  const port = (): string | undefined => /"ports":\[(\d+)\]/.exec(said)?.[1];
  await until(() => port() !== undefined || child.exitCode !== null, { what: 'the registry to be ready' });
  assert.ok(port() !== undefined, said);
  return {
    process: child,
    url: `http://127.0.0.1:${port()}`,
    said: () => said,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null) child.kill('SIGKILL');
      await exited;
    },
  };
}

test('run: finishes requests after TERM, takes no new ones, and ends with 0', async () => {
  using dir = scratchDir();
  await using registry = await start('--listen', '127.0.0.1:0', '--data', dir.join('data'));
  const { url } = registry;
  const begun = await fetch(`${url}/v2/a/blobs/uploads/`, { method: 'POST' });
  const upload = request(new URL(begun.headers.get('location') ?? '', url), {
    method: 'PATCH',
    headers: { 'Transfer-Encoding': 'chunked' },
  });
  upload.write('first ');
  await until(
    async () => (await (await fetch(`${url}/metrics`)).text()).includes('skiff_registry_uploads 1'),
    {
      what: 'the upload',
    },
  );
  registry.process.kill('SIGTERM');
  await until(() => registry.said().includes('skiff-registry stops'), { what: 'the signal' });
  await assert.rejects(fetch(`${url}/v2/`));
  upload.end('second');
  const [response] = await once(upload, 'response');
  assert.equal(response.statusCode, 202);
  await text(response);
  await until(() => registry.process.exitCode !== null, { what: 'the end' });
  assert.equal(registry.process.exitCode, 0);
});

test('run: HUP reads the configuration again; what is wrong is said and changes nothing', async () => {
  using dir = scratchDir();
  const users = (name: string): void => writeFileSync(dir.join('users'), `${name}:${hashSync('pw', 4)}\n`);
  const configure = (auth: unknown): void =>
    writeFileSync(dir.join('c.json'), JSON.stringify({ listen: ['127.0.0.1:0'], data: 'data', auth }));
  users('alice');
  configure({ htpasswd: { path: 'users' } });
  await using registry = await start('--config', dir.join('c.json'));
  const status = async (name: string): Promise<number> => {
    const authorization = `Basic ${Buffer.from(`${name}:pw`).toString('base64')}`;
    return (await fetch(`${registry.url}/v2/`, { headers: { authorization } })).status;
  };
  assert.deepEqual([await status('alice'), await status('bob')], [200, 401]);
  users('bob');
  configure({ htpasswd: { path: 'users' }, realm: 'New' });
  registry.process.kill('SIGHUP');
  await until(() => registry.said().includes('was read again'), { what: 'the reload' });
  assert.deepEqual([await status('alice'), await status('bob')], [401, 200]);
  configure({ htpasswd: { pth: 'users' } });
  registry.process.kill('SIGHUP');
  await until(() => registry.said().includes('auth.htpasswd.path: is missing'), { what: 'the complaint' });
  assert.equal(await status('bob'), 200);
});

test('run: help, version, validation and complaints', async () => {
  using dir = scratchDir();
  const said = async (...argv: readonly string[]): Promise<[code: number, out: string, err: string]> => {
    let [out, err] = ['', ''];
    const code = await run(argv, {
      out: (words) => {
        out += words;
      },
      err: (words) => {
        err += words;
      },
    });
    return [code, out, err];
  };
  assert.match((await said('--help'))[1], /^Usage: skiff-registry \[OPTIONS\]/);
  assert.match((await said('--version'))[1], /^Skiff Registry version /);
  writeFileSync(dir.join('c.json'), '{"auth":{"htpasswd":{"path":"users"}}}');
  assert.deepEqual(await said('--validate', '-c', dir.join('c.json')), [0, 'configuration OK\n', '']);
  const [code, out, err] = await said('-c', dir.join('c.json'), '--data', dir.join('data'));
  assert.deepEqual([code, out], [1, '']);
  assert.match(err, /^skiff-registry: auth\.htpasswd\.path: cannot read the users: ENOENT[^\n]*\n$/);
  assert.match((await said('--nonsense'))[2], /^skiff-registry: [^\n]*--nonsense[^\n]*\n$/);
});
