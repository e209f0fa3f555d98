import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { IgnoreRules } from '#/dockerfile/ignore.ts';
import { type CheckInput, checkDockerfile } from './check.ts';

function check(
  text: string,
  more: Partial<CheckInput> = {},
): { code: number; stdout: string; stderr: string } {
  const recorder = () => {
    const output = { text: '', write: (added: string) => void (output.text += added) };
    return Object.assign(output, { isTTY: false, columns: 0, rows: 0, stream: new PassThrough() });
  };
  const [stdout, stderr] = [recorder(), recorder()];
  const input = {
    name: 'Dockerfile',
    content: Buffer.from(text),
    args: new Map(),
    ignore: undefined,
    quiet: false,
    ...more,
  };
  const code = checkDockerfile(input, { stdout, stderr });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

test('checkDockerfile: nothing to say', () => {
  assert.deepEqual(check('FROM scratch\nCOPY a /\n'), {
    code: 0,
    stdout: 'Check complete, no warnings found.\n',
    stderr: '',
  });
});

test('checkDockerfile: each warning with its rule, its place and what to do', () => {
  const { code, stdout } = check('FROM busybox\nCMD sh\nENV a b\n');
  assert.equal(code, 1);
  const lines = stdout.split('\n');
  assert.deepEqual(lines.slice(0, 4), [
    'Check complete, 2 warnings have been found!',
    '',
    'WARNING: JSONArgsRecommended - https://docs.docker.com/go/dockerfile/rule/json-args-recommended/',
    'JSON arguments recommended for CMD to prevent unintended behavior related to OS signals',
  ]);
  assert.deepEqual(lines.slice(5, 11), [
    'Dockerfile:2',
    '--------------------',
    '   1 |     FROM busybox',
    '   2 | >>> CMD sh',
    '   3 |     ENV a b',
    '   4 |     ',
  ]);
  assert.match(stdout, /WARNING: LegacyKeyValueFormat - .*\/legacy-key-value-format\/\n/);
  assert.equal(
    check('FROM busybox\nCMD sh\n', { quiet: true }).stdout,
    'Check complete, 1 warning has been found!\n',
  );
});

test('checkDockerfile: arguments and the ignore file make it see more', () => {
  const ignore = new IgnoreRules(['secret']);
  const asked = '# check=experimental=CopyIgnoredFile\nFROM scratch\nCOPY secret /\n';
  assert.match(check(asked, { ignore }).stdout, /WARNING: CopyIgnoredFile - /);
  assert.doesNotMatch(check('FROM scratch\nCOPY secret /\n', { ignore }).stdout, /CopyIgnoredFile/);
  const text = 'ARG TAG\nFROM busybox:$TAG\n';
  assert.match(check(text).stdout, /WARNING: InvalidDefaultArgInFrom - /);
});

test('checkDockerfile: a mistake is an error with its place', () => {
  const { code, stdout, stderr } = check('FRM x\n');
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(
    stderr,
    /^ERROR: dockerfile parse error on line 1: unknown instruction: FRM \(did you mean FROM\?\)\nDockerfile:1\n/,
  );
  const strict = check('# check=error=true\nFROM busybox\nCMD sh\n');
  assert.equal(strict.code, 1);
  assert.match(strict.stderr, /ERROR: lint violation found for rules: JSONArgsRecommended/);
});
