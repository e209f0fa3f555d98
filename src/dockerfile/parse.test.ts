import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DockerfileError } from './errors.ts';
import { expandInstruction, readMounts } from './expand-instruction.ts';
import type { Instruction } from './instruction.ts';
import { type Dockerfile, parseDockerfile, parseInstructions, type Stage } from './parse.ts';
import { runScript } from './read-run.ts';

const tick = '`';

function parse(text: string): Dockerfile {
  return parseDockerfile(Buffer.from(text));
}

function firstStage(text: string): Stage {
  const [stage] = parse(text).stages;
  assert.ok(stage);
  return stage;
}

function only(text: string): Instruction {
  const [instruction] = parseInstructions(text);
  assert.ok(instruction);
  return instruction;
}

test('parseDockerfile: arguments before the first FROM, stages, and what belongs to them', () => {
  const file = parse('ARG V=1\nFROM a:$V AS One\nRUN x\nfrom --platform=$P one\nCMD ["y"]\n');
  assert.deepEqual(
    file.metaArgs.map(({ args }) => args),
    [[{ name: 'V', value: '1', description: undefined }]],
  );
  assert.deepEqual(
    file.stages.map(({ index, name, from, instructions }) => [
      index,
      name,
      from.image,
      from.platform,
      instructions.map(({ kind }) => kind),
    ]),
    [
      [0, 'one', 'a:$V', undefined, ['run']],
      [1, undefined, 'one', '$P', ['cmd']],
    ],
  );
});

test('parseDockerfile: continuations, comments and blank lines inside of them', () => {
  const file = parse('FROM a\nRUN b \\\n# no\n\n  c \\ \n  # no\n  d\n');
  const [run] = file.stages[0]?.instructions ?? [];
  assert.equal(run?.text, 'RUN b   c   d');
  assert.deepEqual(run?.range, { start: { line: 2, column: 1 }, end: { line: 7, column: 4 } });
  assert.deepEqual(file.emptyContinuations, [{ start: { line: 7, column: 1 }, end: { line: 7, column: 4 } }]);
});

test('parseDockerfile: directives', () => {
  const text = `# syntax=docker/dockerfile:1\n# escape=${tick}\n#check = skip=all\n# a=b\nFROM a\nRUN x ${tick}\n y\n`;
  const file = parse(text);
  assert.deepEqual([file.syntax, file.escape, file.check], ['docker/dockerfile:1', tick, 'skip=all']);
  assert.equal(firstStage(text).instructions[0]?.text, 'RUN x  y');
});

test('parseDockerfile: here-documents of RUN', () => {
  const script = (text: string) => {
    const instruction = only(text);
    assert.equal(instruction.kind, 'run');
    return runScript(instruction);
  };
  assert.deepEqual(script('RUN <<EOF\na\n\tb\nEOF\n'), { kind: 'shell', script: 'a\n\tb\n' });
  assert.deepEqual(script('RUN <<-"EOF"\n\ta\n\tEOF\n'), { kind: 'shell', script: 'a\n' });
  assert.deepEqual(script('RUN <<X\n#!/bin/x\nX\n'), { kind: 'file', name: 'X', content: '#!/bin/x\n' });
  assert.deepEqual(script('RUN a <<X 3<<Y\n1\nX\n2\nY\n'), {
    kind: 'shell',
    script: 'a <<X 3<<Y\n1\nX\n2\nY',
  });
});

test('expandInstruction: here-documents of COPY without quotes', () => {
  const copy = only('COPY <<EOF <<"RAW" b /dst$A/\n$A "$A"\nEOF\n$A\nRAW\n');
  assert.equal(copy.kind, 'copy');
  const expanded = expandInstruction(copy, new Map([['A', '1']]));
  assert.equal(expanded.destination, '/dst1/');
  assert.deepEqual(expanded.sources, [
    { kind: 'inline', name: 'EOF', content: '1 "1"\n', expands: true },
    { kind: 'inline', name: 'RAW', content: '$A\n', expands: false },
    { kind: 'path', path: 'b' },
  ]);
});

test('readMounts: options of --mount', () => {
  const run = only(
    'RUN --mount=type=cache,id=$A,target=/c,sharing=locked,uid=1 --mount=type=secret,id=s,required true',
  );
  assert.equal(run.kind, 'run');
  const [cache, secret] = readMounts(run, new Map([['A', 'x']]));
  assert.deepEqual(
    [cache?.type, cache?.id, cache?.target, cache?.sharing, cache?.uid, cache?.readOnly],
    ['cache', 'x', '/c', 'locked', 1, false],
  );
  assert.deepEqual([secret?.type, secret?.required, secret?.readOnly], ['secret', true, true]);
});

test('parseDockerfile: errors tell message, place and excerpt', () => {
  assert.throws(
    () => parse('FROM a\nRUN x\nFOO y\nRUN z\n'),
    (error) => {
      assert.ok(error instanceof DockerfileError);
      assert.equal(error.kind, 'invalid');
      assert.equal(
        error.message,
        'dockerfile parse error on line 3: unknown instruction: FOO (did you mean FROM?)',
      );
      assert.equal(
        error.excerpt,
        [
          'Dockerfile:3',
          '--------------------',
          '   1 |     FROM a',
          '   2 |     RUN x',
          '   3 | >>> FOO y',
          '   4 |     RUN z',
          '   5 |     ',
          '--------------------',
        ].join('\n'),
      );
      return true;
    },
  );
});
