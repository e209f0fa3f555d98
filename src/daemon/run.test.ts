import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { O_CLOEXEC } from '#/kernel/at.ts';
import { bindPort } from '#/kernel/socket-bind.ts';

const program = join(import.meta.dirname, '../../tests/support/skiffd-without-engine.ts');

/** A daemon without an engine, in a folder of its own. */
interface Trial extends Disposable {
  readonly dir: string;
  readonly socket: string;
  /** Starts it with further flags. */
  start(...flags: string[]): Started;
}

interface Started {
  readonly child: ChildProcess;
  /** Resolves when it says that it is ready, rejects with what it said if it ends instead. */
  readonly ready: Promise<void>;
  /** Resolves with the exit code and everything on standard error. */
  readonly ended: Promise<{ code: number | null; errors: string }>;
}

function trial(): Trial {
  const dir = mkdtempSync(join(tmpdir(), 'skiffd-'));
  const socket = join(dir, 'api.sock');
  const children: ChildProcess[] = [];
  return {
    dir,
    socket,
    start: (...flags) => {
      const hosts = flags.includes('-H') ? [] : ['-H', `unix://${socket}`];
      const config = join(dir, 'daemon.json');
      if (!existsSync(config)) writeFileSync(config, '{}');
      const places = [
        '--data-root',
        join(dir, 'data'),
        '--exec-root',
        join(dir, 'exec'),
        '--pidfile',
        join(dir, 'pid'),
      ];
      const child = spawn(
        process.execPath,
        [program, '--config-file', config, ...places, ...hosts, ...flags],
        {
          stdio: ['ignore', 'ignore', 'pipe'],
        },
      );
      children.push(child);
      return watch(child);
    },
    [Symbol.dispose]: () => {
      for (const child of children) child.kill('SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function watch(child: ChildProcess): Started {
  let errors = '';
  const ready = Promise.withResolvers<void>();
  child.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
    if (errors.includes('skiffd is ready')) ready.resolve();
  });
  const ended = once(child, 'close').then(([code]: (number | null)[]) => {
    ready.reject(new Error(errors));
    return { code: code ?? null, errors };
  });
  // Whether or not a test waits for it.
  ready.promise.catch(() => {});
  return { child, ready: ready.promise, ended };
}

function get(socketPath: string, path: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  request({ socketPath, path, agent: false }, (response) => resolve(text(response)))
    .on('error', reject)
    .end();
  return promise;
}

test('run: serves on a socket for root and group, and goes away without a trace', async () => {
  using it = trial();
  const daemon = it.start('--group', '0');
  await daemon.ready;
  assert.equal(await get(it.socket, '/_ping'), 'OK');
  const stat = statSync(it.socket);
  assert.deepEqual([stat.mode & 0o777, stat.uid, stat.gid], [0o660, 0, 0]);
  assert.equal(readFileSync(join(it.dir, 'pid'), 'utf8'), `${daemon.child.pid}\n`);
  assert.equal(statSync(join(it.dir, 'data')).mode & 0o777, 0o700);
  daemon.child.kill('SIGTERM');
  assert.equal((await daemon.ended).code, 0);
  assert.deepEqual([existsSync(it.socket), existsSync(join(it.dir, 'pid'))], [false, false]);
});

test('run: a second daemon on the same data, pid file or socket is refused in one line', async () => {
  using it = trial();
  const first = it.start('--group', '0');
  await first.ready;
  const cases: [string[], RegExp][] = [
    [[], /^skiffd: another daemon \(process \d+\) uses the data in \S+\/data\n$/],
    [
      ['--data-root', join(it.dir, 'data2')],
      /^skiffd: another daemon \(process \d+\) uses the state in \S+\/exec\n$/,
    ],
    [
      ['--data-root', join(it.dir, 'data2'), '--exec-root', join(it.dir, 'exec2')],
      /^skiffd: another daemon \(process \d+\) uses the pid file \S+\/pid\n$/,
    ],
    [
      [
        `--data-root=${join(it.dir, 'data2')}`,
        `--exec-root=${join(it.dir, 'exec2')}`,
        `--pidfile=${join(it.dir, 'pid2')}`,
      ],
      /^skiffd: cannot listen on \S+\/api\.sock: another process already does\n$/,
    ],
  ];
  for (const [flags, message] of cases) {
    const { code, errors } = await it.start('--group', '0', ...flags).ended;
    assert.equal(code, 1);
    assert.match(errors, message);
  }
  assert.equal(await get(it.socket, '/_ping'), 'OK');
});

test('run: a second signal ends a daemon that does not get ready', async () => {
  using it = trial();
  const { child, ended } = it.start('--label', 'start=never');
  if (child.stderr !== null) await once(child.stderr, 'data');
  child.kill('SIGTERM');
  // Two that come together count as one.
  using _again = setInterval(() => child.kill('SIGTERM'), 20);
  assert.equal((await ended).code, 1);
});

test('run: what a killed daemon left behind does not keep the next one from starting', async () => {
  using it = trial();
  const first = it.start('--group', '0');
  await first.ready;
  first.child.kill('SIGKILL');
  await first.ended;
  assert.ok(existsSync(it.socket));
  await it.start('--group', '0').ready;
  assert.equal(await get(it.socket, '/_ping'), 'OK');
});

test('run: never replaces a file that is not a socket', async () => {
  using it = trial();
  writeFileSync(it.socket, 'precious');
  const { code, errors } = await it.start('--group', '0').ended;
  assert.equal(code, 1);
  assert.match(errors, /something that is not a socket is there\n$/);
  assert.equal(readFileSync(it.socket, 'utf8'), 'precious');
});

test('run: SIGHUP takes over labels and debug, and a broken file changes nothing', async () => {
  using it = trial();
  const daemon = it.start('--group', '0');
  await daemon.ready;
  const says = async (pattern: RegExp): Promise<void> => {
    for await (const [chunk] of streamOf(daemon.child)) if (pattern.test(String(chunk))) return;
  };
  writeFileSync(join(it.dir, 'daemon.json'), '{"labels":["a=b"],"debug":true}');
  const reloaded = says(/reloaded the configuration/);
  daemon.child.kill('SIGHUP');
  await reloaded;
  assert.deepEqual(JSON.parse(await get(it.socket, '/info')), { labels: ['a=b'], debug: true });
  writeFileSync(join(it.dir, 'daemon.json'), '{"labels":');
  const refused = says(/could not reload/);
  daemon.child.kill('SIGHUP');
  await refused;
  assert.deepEqual(JSON.parse(await get(it.socket, '/info')), { labels: ['a=b'], debug: true });
});

function streamOf(child: ChildProcess): AsyncIterable<unknown[]> {
  return { [Symbol.asyncIterator]: () => chunksOf(child) };
}

async function* chunksOf(child: ChildProcess): AsyncGenerator<unknown[]> {
  for (;;) yield await once(child.stderr ?? child, 'data');
}

test('run: TCP in the clear only on loopback, unless it was asked for; a port in use is named', async () => {
  using it = trial();
  const refused = await it.start('-H', 'tcp://0.0.0.0:0').ended;
  assert.equal(refused.code, 1);
  assert.match(
    refused.errors,
    /^skiffd: refusing to serve the API on tcp:\/\/0\.0\.0\.0:2375 without encryption/,
  );
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const { code, errors } = await it.start('-H', `tcp://127.0.0.1:${port}`).ended;
  taken.close();
  assert.equal(code, 1);
  assert.match(
    errors,
    new RegExp(`^skiffd: cannot listen on tcp://127.0.0.1:${port}: the address is already in use\n$`),
  );
});

test('run: a group that does not exist, certificates that cannot be read', async () => {
  using it = trial();
  const group = await it.start('--group', 'no-such-group').ended;
  assert.deepEqual([group.code, group.errors], [1, 'skiffd: the group "no-such-group" does not exist\n']);
  const tls = await it.start('-H', 'tcp://127.0.0.1:0', '--tls', '--tlscert', '/absent').ended;
  assert.equal(tls.code, 1);
  assert.match(tls.errors, /^skiffd: invalid TLS configuration: cannot read --tlscert: ENOENT.*\n$/);
});

test('run: takes a listening socket that was handed over, and keeps it from its children', async () => {
  using it = trial();
  const { fd, port } = bindPort({ proto: 'tcp', ip: '127.0.0.1', port: 0 });
  const places = [
    '--data-root',
    join(it.dir, 'data'),
    '--exec-root',
    join(it.dir, 'exec'),
    '--pidfile',
    join(it.dir, 'pid'),
  ];
  // LISTEN_PID must name the daemon: a shell sets it before it becomes the daemon.
  const script = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"';
  const command = [process.execPath, program, '--config-file', '/dev/null', ...places, '-H', 'fd://'];
  const child = spawn('/bin/sh', ['-c', script, 'sh', ...command], {
    stdio: ['ignore', 'ignore', 'pipe', fd],
  });
  using _end = { [Symbol.dispose]: () => void child.kill('SIGKILL') };
  closeSync(fd);
  const daemon = watch(child);
  await daemon.ready;
  const response = await fetch(`http://127.0.0.1:${port}/_ping`);
  assert.equal(await response.text(), 'OK');
  const flags = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/${child.pid}/fdinfo/3`, 'utf8'))?.[1] ?? '';
  assert.notEqual(Number.parseInt(flags, 8) & O_CLOEXEC, 0, flags);
  child.kill('SIGTERM');
  assert.equal((await daemon.ended).code, 0);
});

/** Makes the files `key` and `cert`, of an authority that is also a server and a client. */
function makeCertificate(dir: string): { key: string; cert: string } {
  const files = { key: join(dir, 'key'), cert: join(dir, 'cert') };
  const [out, names] = [['-keyout', files.key, '-out', files.cert], 'subjectAltName=IP:127.0.0.1'];
  const kind = ['req', '-x509', '-newkey', 'ed25519', '-nodes', '-subj', '/CN=x', '-addext', names];
  execFileSync('openssl', [...kind, ...out], { stdio: 'pipe' });
  return files;
}

test('run: beyond the loopback address TLS without client certificates is refused unless said in so many words', async () => {
  using it = trial();
  const { key, cert } = makeCertificate(it.dir);
  const held = bindPort({ proto: 'tcp', ip: '0.0.0.0', port: 0 });
  closeSync(held.fd);
  const args = ['-H', `tcp://0.0.0.0:${held.port}`, '--tls', '--tlscert', cert, '--tlskey', key];
  const { code, errors } = await it.start(...args).ended;
  assert.equal(code, 1);
  assert.match(
    errors,
    /^skiffd: refusing .* without client certificates: .*--tlsverify, or say --tlsverify=false.*\n$/,
  );
  await it.start(...args, '--tlsverify=false').ready;
});

test('run: with --tlsverify only clients with a certificate of the authority get an answer', async () => {
  using it = trial();
  const made = makeCertificate(it.dir);
  const held = bindPort({ proto: 'tcp', ip: '127.0.0.1', port: 0 });
  closeSync(held.fd);
  const files = ['--tlscert', made.cert, '--tlskey', made.key, '--tlscacert', made.cert];
  await it.start('-H', `tcp://127.0.0.1:${held.port}`, '--tlsverify', ...files).ready;
  const ca = readFileSync(made.cert);
  const ask = (identity: object): Promise<string> => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const options = { host: '127.0.0.1', port: held.port, path: '/_ping', ca, agent: false, ...identity };
    secureRequest(options, (response) => resolve(text(response)))
      .on('error', reject)
      .end();
    return promise;
  };
  assert.equal(await ask({ cert: ca, key: readFileSync(made.key) }), 'OK');
  await assert.rejects(ask({}), /certificate required|ECONNRESET|socket hang up/);
});
