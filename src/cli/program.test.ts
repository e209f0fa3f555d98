import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { Output } from './command.ts';
import { runProgram } from './program.ts';
import { invocations, root } from './tree.ts';
import type { Entry } from './tree-node.ts';

class TextOutput implements Output {
  readonly isTTY = false;
  readonly columns = 0;
  readonly rows = 0;
  readonly stream: PassThrough = new PassThrough();
  text = '';

  write(text: string): void {
    this.text += text;
  }
}

async function skiff(...args: string[]) {
  const [stdout, stderr] = [new TextOutput(), new TextOutput()];
  const env = { SKIFF_HOST: 'unix:///nonexistent/skiff.sock', DOCKER_CONFIG: '/nonexistent' };
  const code = await runProgram(args, { stdin: new PassThrough(), stdout, stderr, env });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

test('runProgram: without a command prints the help on stderr', async () => {
  const { code, stdout, stderr } = await skiff();
  assert.deepEqual([code, stdout], [0, '']);
  assert.match(stderr, /^Usage: {2}skiff \[OPTIONS\] COMMAND\n/);
  assert.match(stderr, /\nRun 'skiff COMMAND --help' for more information on a command\.\n$/);
});

test('runProgram: unknown commands, flags and topics', async () => {
  assert.deepEqual(await skiff('foo'), {
    code: 1,
    stdout: '',
    stderr: "skiff: unknown command: skiff foo\n\nRun 'skiff --help' for more information\n",
  });
  assert.deepEqual(await skiff('volume', 'foo'), {
    code: 1,
    stdout: '',
    stderr:
      "skiff: unknown command: skiff volume foo\n\nUsage:  skiff volume\n\nRun 'skiff volume --help' for more information\n",
  });
  assert.deepEqual(await skiff('ps', '--foo'), {
    code: 125,
    stdout: '',
    stderr:
      "unknown flag: --foo\n\nUsage:  skiff ps [OPTIONS]\n\nRun 'skiff ps --help' for more information\n",
  });
  assert.deepEqual(await skiff('help', 'foo'), { code: 1, stdout: '', stderr: 'unknown help topic: foo\n' });
});

test('runProgram: the number of arguments is checked', async () => {
  const hint = (usage: string): string => `\n\nUsage:  skiff ${usage}\n\n`;
  assert.ok(
    (await skiff('rm')).stderr.startsWith(
      `skiff: 'skiff rm' requires at least 1 argument${hint('rm [OPTIONS] CONTAINER [CONTAINER...]')}`,
    ),
  );
  assert.ok(
    (await skiff('rename', 'a')).stderr.startsWith(
      `skiff: 'skiff rename' requires 2 arguments${hint('rename CONTAINER NEW_NAME')}`,
    ),
  );
  assert.ok(
    (await skiff('ps', 'x')).stderr.startsWith(
      `skiff: 'skiff ps' accepts no arguments${hint('ps [OPTIONS]')}`,
    ),
  );
});

test('runProgram: a daemon that does not listen', async () => {
  assert.deepEqual(await skiff('ps'), {
    code: 1,
    stdout: '',
    stderr:
      'Cannot connect to the Skiff daemon at unix:///nonexistent/skiff.sock. Is the skiff daemon running?\n',
  });
});

test('runProgram: flags of run end at the image', async () => {
  const { stderr } = await skiff('run', '--rm', 'img', '--foo');
  assert.match(stderr, /Cannot connect/);
});

test('every command has help that fits in 80 columns', async () => {
  const visit = async (entry: Entry, path: string[]): Promise<void> => {
    const { code, stdout } = await skiff('help', ...path, entry.names[0] ?? '');
    assert.equal(code, 0);
    assert.ok(stdout.startsWith(`Usage:  skiff ${[...path, entry.names[0]].join(' ')}`), stdout);
    for (const line of stdout.split('\n').slice(1)) {
      if (line.startsWith('  skiff ')) continue;
      assert.ok(line.length <= 84, line);
    }
    if (entry.kind === 'group')
      for (const child of entry.children) await visit(child, [...path, entry.names[0] ?? '']);
  };
  for (const child of root.children) await visit(child, []);
});

test('invocations: all ways to call a command', () => {
  const ps = root.children.find((child) => child.names[0] === 'ps');
  assert.ok(ps?.kind === 'command');
  assert.deepEqual(invocations(ps), [
    'skiff container ls',
    'skiff container list',
    'skiff container ps',
    'skiff ps',
  ]);
});

test('completion: the script for bash names commands and flags', async () => {
  const { code, stdout } = await skiff('completion', 'bash');
  assert.equal(code, 0);
  assert.match(stdout, /'container ls'\|'container list'\|'container ps'\) words='[^']*--no-trunc/);
  assert.match(stdout, /'login'\) words='[^']*--password-stdin[^']*' list='' ;;/);
  assert.match(stdout, /'push'\) words='[^']*--all-tags[^']*' list='images --format/);
  assert.equal((await skiff('completion', 'fish')).code, 1);
});
