import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { basename } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import fc from 'fast-check';
import { run } from '#tests/daemon.ts';
import { type ScratchDir, scratchDir } from '#tests/scratch-dir.ts';
import { noSshKeygen, sshKey } from '#tests/ssh-keys.ts';
import { openAgents } from '../agents.ts';
import type { SshAgent } from './agent.ts';
import { agentMessages } from './agent-messages.ts';
import { parseKeyFile } from './key-file.ts';
import { serveAgent } from './serve-agent.ts';
import { SshReader, sshString, sshUint32, sshUnsigned } from './wire.ts';

/** The private keys that people have, as ssh-keygen writes them. */
function everyKey(dir: ScratchDir): string[] {
  const key = (name: string, ...args: readonly string[]): string => sshKey(dir.join(name), ...args);
  return [
    key('ed25519', '-t', 'ed25519'),
    key('rsa', '-t', 'rsa', '-b', '2048'),
    key('ecdsa-256', '-t', 'ecdsa', '-b', '256'),
    key('ecdsa-384', '-t', 'ecdsa', '-b', '384'),
    key('ecdsa-521', '-t', 'ecdsa', '-b', '521'),
    key('rsa-pkcs1', '-t', 'rsa', '-b', '2048', '-m', 'PEM'),
    key('rsa-pkcs8', '-t', 'rsa', '-b', '2048', '-m', 'PKCS8'),
    key('ecdsa-sec1', '-t', 'ecdsa', '-b', '256', '-m', 'PEM'),
    key('ecdsa-pkcs8', '-t', 'ecdsa', '-b', '521', '-m', 'PKCS8'),
  ];
}

/** The agent behind a socket, as steps see it. */
async function served(agent: SshAgent, path: string): Promise<AsyncDisposable & { path: string }> {
  const server = createServer((socket) => {
    serveAgent(socket, agent).catch(() => undefined);
  }).listen(path);
  await once(server, 'listening');
  return { path, [Symbol.asyncDispose]: async () => void server.close() };
}

async function only(paths: readonly string[]): Promise<SshAgent> {
  const agents = await openAgents([`x=${paths.join(',')}`], {});
  return agents.get('x') as SshAgent;
}

const publicKey = (path: string): string =>
  readFileSync(`${path}.pub`, 'utf8').split(' ').slice(0, 2).join(' ');

test('keys in files: ssh lists them and signs with each', { skip: noSshKeygen }, async () => {
  using dir = scratchDir();
  const keys = everyKey(dir);
  await using agent = await served(await only(keys), dir.join('agent'));
  const env = { SSH_AUTH_SOCK: agent.path };
  const listed = await run('ssh-add', ['-L'], { env });
  assert.deepEqual(
    listed.stdout.trim().split('\n'),
    keys.map((path) => {
      const isPem = /-(?:pkcs|sec)\d$/.test(path);
      return `${publicKey(path)} ${isPem ? path : 'who@where'}`;
    }),
  );
  const tested = await run('ssh-add', ['-T', ...keys.map((path) => `${path}.pub`)], { env });
  assert.deepEqual([tested.code, tested.stderr], [0, '']);
  writeFileSync(dir.join('signers'), keys.map((path) => `${basename(path)} ${publicKey(path)}\n`).join(''));
  // Without the private key's file, so that the agent signs.
  const aside = dir.join('aside.pub');
  for (const path of keys) {
    writeFileSync(aside, readFileSync(`${path}.pub`));
    const signed = await run('ssh-keygen', ['-Y', 'sign', '-n', 'test', '-f', aside], { env, input: 'data' });
    assert.equal(signed.code, 0, `${path}: ${signed.stderr}`);
    writeFileSync(dir.join('signature'), signed.stdout);
    const places = ['-f', dir.join('signers'), '-I', basename(path), '-s', dir.join('signature')];
    const verified = await run('ssh-keygen', ['-Y', 'verify', '-n', 'test', ...places], { input: 'data' });
    assert.equal(verified.code, 0, `${path}: ${verified.stdout}${verified.stderr}`);
  }
});

test('keys in files: an agent in memory takes no keys, gives none away and cannot be locked', {
  skip: noSshKeygen,
}, async () => {
  using dir = scratchDir();
  await using agent = await served(await only([sshKey(dir.join('k'), '-t', 'ed25519')]), dir.join('agent'));
  const env = { SSH_AUTH_SOCK: agent.path };
  const other = sshKey(dir.join('other'), '-t', 'ed25519');
  for (const args of [[other], ['-D'], ['-d', dir.join('k')]]) {
    assert.notEqual((await run('ssh-add', args, { env })).code, 0, args.join(' '));
  }
  assert.equal((await run('ssh-add', ['-L'], { env })).stdout, `${publicKey(dir.join('k'))} who@where\n`);
});

test("an agent's socket: a step sees the keys and signs, and changes nothing", {
  skip: noSshKeygen,
}, async (t) => {
  using dir = scratchDir();
  const real = dir.join('real');
  const started = spawnSync('ssh-agent', ['-a', real], { encoding: 'utf8' });
  const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(started.stdout)?.[1]);
  t.after(() => process.kill(pid));
  const key = sshKey(dir.join('k'), '-t', 'ed25519');
  execFileSync('ssh-add', ['-q', key], { env: { ...process.env, SSH_AUTH_SOCK: real } });
  const agents = await openAgents(['default'], { SSH_AUTH_SOCK: real });
  await using agent = await served(agents.get('default') as SshAgent, dir.join('agent'));
  const env = { SSH_AUTH_SOCK: agent.path };
  assert.equal((await run('ssh-add', ['-T', `${key}.pub`], { env })).code, 0);
  assert.notEqual((await run('ssh-add', ['-D'], { env })).code, 0);
  const listed = await run('ssh-add', ['-L'], { env: { SSH_AUTH_SOCK: real } });
  assert.equal(listed.stdout, `${publicKey(key)} who@where\n`);
});

test('--ssh: each mistake is told with what to do, and nothing of the keys', {
  skip: noSshKeygen,
}, async (t) => {
  using dir = scratchDir();
  const key = sshKey(dir.join('k'), '-t', 'ed25519');
  const locked = (name: string, ...args: readonly string[]): string => {
    execFileSync('ssh-keygen', ['-q', '-f', dir.join(name), '-N', 'passphrase', ...args]);
    return dir.join(name);
  };
  const file = (name: string, content: string): string => {
    writeFileSync(dir.join(name), content);
    return dir.join(name);
  };
  const pem = (curve: string): string =>
    generateKeyPairSync('ec', { namedCurve: curve })
      .privateKey.export({ format: 'pem', type: 'sec1' })
      .toString();
  const listening = createServer().listen(dir.join('listening'));
  t.after(() => listening.close());
  await once(listening, 'listening');
  const stale = dir.join('stale');
  spawnSync('python3', ['-c', `import socket; socket.socket(socket.AF_UNIX).bind(${JSON.stringify(stale)})`]);
  const cases: [specs: readonly string[], error: RegExp, env?: Record<string, string>][] = [
    [
      ['x'],
      /there is no SSH agent for --ssh x: SSH_AUTH_SOCK is not set\. .*--ssh x=\$HOME\/\.ssh\/id_ed25519/,
    ],
    [
      ['x'],
      /cannot use ".*nope" for --ssh: .*no such file or directory/,
      { SSH_AUTH_SOCK: dir.join('nope') },
    ],
    [['x=~/.ssh/k'], /no such file or directory; the shell leaves "~" as it is after "=": write \$HOME/],
    [[`a=${key}`, `a=${key}`], /two agents with the id "a" .*: give several keys as id=key,key/],
    [[`x=${key},${dir.join('listening')}`], /is the socket of an agent, which can only be given alone/],
    [
      [`x=${stale}`],
      /cannot reach the SSH agent at ".*stale": connect: connection refused; is it still running\?/,
    ],
    [[`x=${dir.path}`], /as key for --ssh: read: is a directory/],
    [[`x=${key}.pub`], /it is a public key; give the file of the private key/],
    [[`x=${file('text', 'hello\n')}`], /it is no private key in a format of OpenSSH or in PEM/],
    [[`x=${file('long', 'x'.repeat(200_000))}`], /it has more than 102400 bytes/],
    [
      [`x=${locked('l1', '-t', 'ed25519')}`],
      /it is encrypted with a passphrase; add it to an agent with ssh-add/,
    ],
    [[`x=${locked('l2', '-t', 'ecdsa', '-m', 'PEM')}`], /it is encrypted with a passphrase/],
    [[`x=${locked('l3', '-t', 'ecdsa', '-m', 'PKCS8')}`], /it is encrypted with a passphrase/],
    [[`x=${file('curve', pem('secp256k1'))}`], /SSH has no keys of the kind EC secp256k1; use ed25519/],
    [[`x=${file('cut', readFileSync(key, 'utf8').replace(/^(?:[^-\n]+\n){2}/m, ''))}`], /it is damaged/],
  ];
  for (const [specs, expected, env = {}] of cases) {
    const error: unknown = await openAgents(specs, env).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof Error, specs.join(' '));
    assert.match(error.message, expected);
    assert.doesNotMatch(error.message, /-----BEGIN|AAAA|hello/);
  }
  assert.deepEqual([...(await openAgents(['', `=${key}`], {})).keys()], ['default']);
});

test('parseKeyFile: whatever is in a file, it is a key or an error', { skip: noSshKeygen }, () => {
  using dir = scratchDir();
  const whole = readFileSync(sshKey(dir.join('k'), '-t', 'rsa', '-b', '1024'), 'latin1');
  const bytes = Buffer.from(whole.replaceAll(/-----.*/g, ''), 'base64');
  const change = fc.record({ at: fc.nat(bytes.length - 1), to: fc.nat(255) });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(bytes.length), (changes, length) => {
      const other = Buffer.from(bytes);
      for (const { at, to } of changes) other[at] = to;
      const body = other.subarray(0, length).toString('base64');
      try {
        parseKeyFile(`-----BEGIN OPENSSH PRIVATE KEY-----\n${body}\n-----END OPENSSH PRIVATE KEY-----\n`);
      } catch (error) {
        assert.equal((error as Error).name, 'UnusableKeyError');
      }
    }),
  );
});

test('serveAgent: what a step sends is answered or ends its connection, whatever it is', {
  skip: noSshKeygen,
}, async () => {
  using dir = scratchDir();
  await using agent = await served(await only([sshKey(dir.join('k'), '-t', 'ed25519')]), dir.join('agent'));
  const ask = async (count: number, pieces: readonly Buffer[]): Promise<number[]> => {
    const socket = connect(agent.path);
    for (const piece of pieces) socket.write(piece);
    const answers: number[] = [];
    for await (const answer of agentMessages(socket)) {
      if (answers.push(...answer.subarray(0, 1)) === count) break;
    }
    return answers;
  };
  const sign = (blob: string): Buffer =>
    Buffer.concat([Buffer.of(13), sshString(blob), sshString('data'), sshUint32(0)]);
  const messages = [
    Buffer.of(11),
    Buffer.of(),
    Buffer.of(200),
    Buffer.of(13),
    sign('no key'),
    Buffer.of(27),
    Buffer.of(11),
  ];
  const bytes = Buffer.concat(messages.map(sshString));
  const expected = [12, 5, 5, 5, 5, 5, 12];
  assert.deepEqual(await ask(expected.length, [bytes]), expected);
  assert.deepEqual(
    await ask(
      expected.length,
      [...bytes].map((byte) => Buffer.of(byte)),
    ),
    expected,
  );
  const socket = connect(agent.path);
  socket.write(sshUint32(0xffff_ffff));
  assert.equal(await text(socket), '');
});

test('SshReader and its writers: what is written is read', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const first = bytes.findIndex((byte) => byte !== 0);
      const digits = Buffer.from(first < 0 ? [] : bytes.subarray(first));
      const reader = new SshReader(Buffer.concat([sshUnsigned(bytes), sshString(bytes), sshUint32(7)]));
      assert.deepEqual(reader.unsigned(), digits);
      assert.deepEqual(reader.string(), Buffer.from(bytes));
      assert.equal(reader.uint32(), 7);
      assert.throws(() => reader.uint32(), /ends too early/);
    }),
  );
});
