/**
 * Runs the same command lines through `skiff` and through another client of the same daemon (the docker CLI) and compares
 * what they print and how they exit. Needs a Docker daemon and two programs:
 *
 *   SKIFF_PARITY_SOCKET=/path/docker.sock [SKIFF_PARITY_PEER=docker] [SKIFF_PARITY_SUBJECT=bin/skiff] \
 *     node --test tests/compat/cli-parity.test.ts
 *
 * Scenarios with registries also need two that the daemon reaches by plain HTTP: SKIFF_PARITY_REGISTRY=host:port, open to
 * all, and SKIFF_PARITY_SECURED=host:port for the user "tester" with the password "secret".
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { readScenarios, type Scenario } from './cli-scenarios.ts';

const socket = process.env['SKIFF_PARITY_SOCKET'] ?? '';
const peer = process.env['SKIFF_PARITY_PEER'] ?? 'docker';
const subject = process.env['SKIFF_PARITY_SUBJECT'] ?? join(import.meta.dirname, '../../bin/skiff');
const registries = {
  '%REGISTRY': process.env['SKIFF_PARITY_REGISTRY'] ?? '',
  '%SECURED': process.env['SKIFF_PARITY_SECURED'] ?? '',
};
const skip = socket === '' ? 'no peer daemon: set SKIFF_PARITY_SOCKET' : false;

/** Commands that take longer hang. Milliseconds. */
const patience = 60_000;
const prefix = `par${process.pid}`;
const folder = mkdtempSync(join(tmpdir(), 'skiff-parity-'));
const env = {
  ...process.env,
  DOCKER_HOST: `unix://${socket}`,
  HOME: folder,
  TZ: 'UTC',
  PARITY_VARIABLE: 'from outside',
  // The peer may know only an older one, in which lists say less.
  DOCKER_API_VERSION: skip === false ? peerVersion() : undefined,
};

function peerVersion(): string {
  const args = ['version', '--format', '{{.Client.DefaultAPIVersion}}'];
  // It says so with or without a daemon.
  const version = spawnSync(peer, args, { encoding: 'utf8' }).stdout.trim();
  assert.match(version, /^1\.\d+$/);
  return version;
}

interface Outcome {
  readonly command: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number | null;
}

/** With `tty` in front the command runs in a terminal of its own, made by util-linux's script. */
function run(program: string, args: readonly string[], input = ''): Outcome {
  const quoted = args
    .slice(1)
    .map((arg) => `'${arg}'`)
    .join(' ');
  const [file, words] =
    args[0] === 'tty' ? ['script', ['-qec', `${program} ${quoted}`, '/dev/null']] : [program, args];
  const { stdout, stderr, status, error } = spawnSync(file, words, {
    env,
    input,
    cwd: folder,
    encoding: 'utf8',
    timeout: patience,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error !== undefined) throw error;
  return { command: args.join(' '), stdout: normal(stdout), stderr: normal(stderr), status };
}

/** Bold and coloured text. */
const styles = new RegExp(`${'\u001b'}\\[[\\d;]*m`, 'g');

/** Without what differs from run to run. */
function normal(text: string): string {
  return (
    text
      .replaceAll('skiff', 'docker')
      .replaceAll('Skiff', 'Docker')
      .replaceAll(prefix, 'PREFIX')
      // Who comes second finds there what the first one pushed.
      .replaceAll(/\b(?:Pushed|Layer already exists|Mounted from \S+)$/gm, 'Pushed')
      // What docker says of its classic builder does not go for ours, which begins its complaints as buildx does.
      .replaceAll(/^DEPRECATED: The legacy builder[^]*?\n\n/gm, '')
      .replaceAll(/^ERROR: failed to build: /gm, '')
      .replaceAll(/(?<=^Sending build context to Docker daemon) .*\r*$/gm, '')
      // What is an experiment of docker's is none here.
      .replaceAll(/^WARNING: This is an experimental feature\..*\n/gm, '')
      .replaceAll(styles, '')
      // How a terminal shows that there is no input.
      .replaceAll('^@', '')
      .replaceAll(/\b[0-9a-f]{64}\b/g, '<id>')
      .replaceAll(/\b[0-9a-f]{32}\b/g, '<half>')
      .replaceAll(/\b[0-9a-f]{12}\b/g, '<short>')
      .replaceAll(/\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, '<mac>')
      .replaceAll(/\b(?:172|10)(?:\.\d{1,3}){3}\b/g, '<ip>')
      // Docker's Go gives them in any order.
      .replaceAll(/(?<="Binds":\[)[^\]]*/g, (binds) => binds.split(',').sort().join(','))
      .replaceAll(/(?<=\/snapshots\/overlay2\/)\d+/g, '<number>')
      .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?/g, '<time>')
      .replaceAll(/\b(?:\d+ seconds?|Less than a second|About a minute|\d+ minutes)\b/g, '<while>')
      .replaceAll(/"(Pid|StartPid)": \d+/g, '"$1": <pid>')
      .replaceAll(/\b(?:3[2-9]|[45]\d|60)\d{3}(?=->|\b)/g, '<port>')
      .replaceAll(/ {2,}/g, '  ')
      .replaceAll(/[ ]+\n/g, '\n')
  );
}

/** With names, folders and addresses in the place of what stands for them. */
function filledIn(text: string): string {
  return (
    text
      // Two of them are one, before a digest.
      .replaceAll(/@@|@/g, (at) => (at === '@' ? prefix : '@'))
      .replaceAll('%IMAGE', `${prefix}img`)
      .replaceAll('%DIR', folder)
      .replaceAll(/%REGISTRY|%SECURED/g, (name) => registries[name as keyof typeof registries])
  );
}

function play(program: string, { steps }: Scenario): Outcome[] {
  try {
    return steps.map(({ args, input }) => {
      return run(program, args.map(filledIn), filledIn(input));
    });
  } finally {
    tidy();
  }
}

/** Removes everything with our prefix. */
function tidy(): void {
  const list = (...args: string[]): string[] =>
    spawnSync(peer, args, { env, encoding: 'utf8' })
      .stdout.split('\n')
      .filter((name) => name.includes(prefix) && !name.startsWith(`${prefix}img:latest`));
  const remove = (command: string[], names: string[]): void => {
    if (names.length > 0) spawnSync(peer, [...command, ...names], { env });
  };
  rmSync(join(folder, `${prefix}.cid`), { force: true });
  rmSync(join(folder, '.docker'), { recursive: true, force: true });
  remove(['rm', '-f', '-v'], list('ps', '-a', '--format', '{{.Names}}'));
  remove(['network', 'rm'], list('network', 'ls', '--format', '{{.Name}}'));
  remove(['volume', 'rm', '-f'], list('volume', 'ls', '--format', '{{.Name}}'));
  remove(['rmi', '-f'], list('images', '--format', '{{.Repository}}:{{.Tag}}'));
}

/** An image with busybox and nothing else. */
function makeImage(): void {
  const bin = join(folder, 'root/bin');
  mkdirSync(bin, { recursive: true });
  cpSync('/bin/busybox', join(bin, 'busybox'));
  for (const name of 'sh sleep cat echo true false ps id env test yes seq head dd wc printf kill ls sort'.split(
    ' ',
  )) {
    symlinkSync('busybox', join(bin, name));
  }
  const archive = join(folder, 'root.tar');
  spawnSync('tar', ['-C', join(folder, 'root'), '-cf', archive, '.']);
  const { status, stderr } = spawnSync(peer, ['import', '-c', 'CMD ["sh"]', archive, `${prefix}img`], {
    env,
  });
  assert.equal(status, 0, String(stderr));
  writeFileSync(join(folder, 'env.txt'), '# comment\nFROM_FILE=1\nPARITY_VARIABLE\nUNSET_PARITY_VARIABLE\n');
  writeFileSync(join(folder, 'labels.txt'), 'from.file=yes\n');
  writeFileSync(join(folder, 'seccomp.json'), '{ "defaultAction": "SCMP_ACT_ALLOW" }');
}

suite('skiff beside docker', { skip }, () => {
  before(makeImage);
  after(() => {
    tidy();
    spawnSync(peer, ['rmi', '-f', `${prefix}img`], { env });
    rmSync(folder, { recursive: true });
  });
  const reachable = Object.values(registries).every((host) => host !== '');
  const scenarios = readScenarios().filter(({ needsRegistry }) => reachable || !needsRegistry);
  for (const scenario of scenarios) {
    test(scenario.title, () => {
      const expected = play(peer, scenario);
      const actual = play(subject, scenario);
      // Only what differs is shown.
      const different = expected.map((outcome, index) => !isDeepStrictEqual(outcome, actual[index]));
      const picked = (outcomes: readonly Outcome[]): Outcome[] =>
        outcomes.filter((_outcome, index) => different[index]);
      assert.deepEqual(picked(actual), picked(expected));
    });
  }
});
