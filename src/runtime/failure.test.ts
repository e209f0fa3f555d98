import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startError } from './failure.ts';

const cases: readonly (readonly [output: string, command: string, message: RegExp, exitCode: number])[] = [
  [
    'executable file `nope` not found in $PATH: No such file or directory\n',
    ...(['nope', /create failed: .*: exec: "nope": executable file not found in \$PATH$/, 127] as const),
  ],
  [
    'executable file `./x` not found in $PATH: No such file or directory\n',
    ...(['./x', /exec: ".\/x": stat .\/x: no such file or directory$/, 127] as const),
  ],
  ['open executable: Operation not permitted\n', '/etc', /exec: "\/etc": permission denied$/, 126],
  ['chdir `/nope`: No such file or directory\n', 'x', /chdir to cwd \("\/nope"\) .* no such file/, 127],
  [
    "2026-01-01T00:00:00.000000Z: warning\n2026-01-01T00:00:00.000000Z: error stat'ing file `/x`: Permission denied\n",
    ...(['x', /process: error stat'ing file `\/x`: Permission denied$/, 126] as const),
  ],
  ['something else\n', 'x', /something else$/, 128],
  ['', 'x', /gave no reason$/, 128],
];

test('startError: speaks as Docker does, with the exit codes of a shell', () => {
  for (const [output, command, message, exitCode] of cases) {
    const error = startError('create', output, command);
    assert.match(error.message, message);
    assert.equal(error.exitCode, exitCode, output);
    assert.equal(error.kind, exitCode === 128 ? 'internal' : 'invalid');
  }
  assert.match(startError('exec', '', 'x').message, /^OCI runtime exec failed: exec failed: /);
});
