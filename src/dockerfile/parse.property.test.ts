import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EngineError } from '#/base/errors.ts';
import { DockerfileError } from './errors.ts';
import { expandInstruction, readMounts } from './expand-instruction.ts';
import type { Instruction } from './instruction.ts';
import { lint } from './lint/lint.ts';
import { type Dockerfile, parseDockerfile, parseInstructions } from './parse.ts';
import { runScript } from './read-run.ts';
import type { SourceRange, SourceText } from './source.ts';

const words = [
  'FROM',
  'from a AS b',
  'RUN',
  'COPY',
  'ADD',
  'ENV',
  'ARG',
  'LABEL',
  'CMD',
  'ENTRYPOINT',
  'EXPOSE',
  'USER',
  'WORKDIR',
  'VOLUME',
  'STOPSIGNAL',
  'HEALTHCHECK',
  'ONBUILD',
  'MAINTAINER',
  'SHELL',
  'scratch',
  'a',
  'a=b',
  '=',
  '$A',
  '${A',
  '${A:-',
  '}',
  '"',
  "'",
  '\\',
  '`',
  '\\\n',
  '\n',
  '\n',
  ' ',
  '\t',
  '\r\n',
  '#',
  '# escape=`\n',
  '# check=skip=all\n',
  '<<EOF',
  '<<-"X"',
  '\nEOF\n',
  '\n\tX\n',
  '["a"]',
  '[',
  '1]',
  '--',
  '--mount=',
  'type=cache,',
  '--from=',
  '--x',
  'NONE',
  '80/tcp',
  'é',
  '🐳',
  '\0',
  '\u2028',
  '\ufeff',
  '/',
  '*',
  '%',
  '-',
  ':',
];
const text = fc.array(fc.constantFrom(...words), { maxLength: 40 }).map((parts) => parts.join(''));
const spaced = fc.array(fc.constantFrom(...words), { maxLength: 30 }).map((parts) => parts.join(' '));
const bytes = fc.oneof(
  text.map((value) => Buffer.from(value)),
  spaced.map((value) => Buffer.from(`FROM scratch\n${value}`)),
  spaced.map((value) => Buffer.from(`FROM scratch\nRUN x\nLABEL a=b\n${value.replaceAll('\n ', '\n')}`)),
  fc.uint8Array({ maxLength: 200 }),
);

function instructionsOf({ metaArgs, stages }: Dockerfile): Instruction[] {
  return [...metaArgs, ...stages.flatMap(({ from, instructions }) => [from, ...instructions])];
}

function assertInside({ start, end }: SourceRange, { lines }: SourceText): void {
  for (const { line, column } of [start, end]) {
    assert.ok(line >= 1 && line <= lines.length, `line ${line} of ${lines.length}`);
    const length = lines[line - 1]?.length ?? 0;
    assert.ok(column >= 1 && column <= length + 1, `column ${column} of ${length}`);
  }
  assert.ok(start.line < end.line || (start.line === end.line && start.column <= end.column));
}

function parseOr(input: Uint8Array): Dockerfile | undefined {
  try {
    return parseDockerfile(input);
  } catch (error) {
    assert.ok(error instanceof DockerfileError, String(error));
    assertInside(error.range, error.source);
    assert.ok(error.excerpt.length > 0);
    return undefined;
  }
}

test('parseDockerfile: any bytes give a Dockerfile or an error with a place in it', () => {
  let parsed = 0;
  fc.assert(
    fc.property(bytes, (input) => {
      const file = parseOr(input);
      if (file === undefined) return;
      parsed += 1;
      for (const { range, keyword } of instructionsOf(file)) {
        assertInside(range, file.source);
        const { line, column } = range.start;
        assert.ok(file.source.lines[line - 1]?.startsWith(keyword.slice(0, 1), column - 1));
      }
    }),
    { numRuns: 3000 },
  );
  assert.ok(parsed > 50);
});

test('expandInstruction, readMounts, runScript, lint: any Dockerfile gives a result or an expected error', () => {
  const variables = new Map([['A', 'x y']]);
  fc.assert(
    fc.property(bytes, (input) => {
      const file = parseOr(input);
      if (file === undefined) return;
      for (const stage of file.stages) {
        for (const instruction of stage.instructions) {
          try {
            expandInstruction(instruction, variables, { escape: file.escape });
            if (instruction.kind !== 'run') continue;
            runScript(instruction);
            readMounts(instruction, variables);
          } catch (error) {
            assert.ok(error instanceof EngineError, String(error));
          }
        }
      }
      try {
        for (const { range } of lint(file).warnings) assertInside(range, file.source);
      } catch (error) {
        assert.ok(error instanceof EngineError, String(error));
      }
    }),
    { numRuns: 1500 },
  );
});

test('parseInstructions: where a line is continued does not matter', () => {
  const part = fc.stringMatching(/^[a-z=$"' ]{0,8}$/);
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), (parts) => {
      const whole = parseInstructions(`RUN a${parts.join('')}`)[0];
      const split = parseInstructions(`RUN a${parts.join('\\\n# comment\n')}`)[0];
      const blank = parts.slice(1).some((value) => value.trim() === '');
      if (!blank) assert.equal(split?.text, whole?.text);
    }),
  );
});

test('expandInstruction: a value in quotes comes out as it went in', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), (value) => {
      fc.pre(!/[\n\r]/.test(value) && value.isWellFormed());
      const quoted = value.replace(/[\\"$]/g, '\\$&');
      const [instruction] = parseInstructions(`ENV A="${quoted}"`);
      assert.equal(instruction?.kind, 'env');
      const { pairs } = expandInstruction(instruction, new Map());
      assert.deepEqual(pairs, [{ name: 'A', value, isLegacy: false }]);
    }),
  );
});

test('parseDockerfile: sizes have limits', () => {
  const refuses = (input: string, message: RegExp): void => {
    assert.throws(() => parseDockerfile(Buffer.from(input)), { kind: 'invalid', message });
  };
  refuses(`FROM a\n#${'x'.repeat(5 * 1024 * 1024)}`, /larger than/);
  refuses(`FROM a\nRUN ${'x'.repeat(65_532)}`, /dockerfile line greater than max allowed size of 65535/);
  refuses(`FROM a\n${'USER a\n'.repeat(10_000)}`, /more than 10000 instructions/);
  assert.equal(instructionsOf(parseDockerfile(Buffer.from(`FROM a\nRUN ${'x'.repeat(65_531)}\n`))).length, 2);
});

test('parseDockerfile: takes no longer for hostile lines', () => {
  const blanks = ' '.repeat(60_000);
  for (const line of [
    `RUN <<${blanks}<x`,
    `# syntax=${blanks}x`,
    `ONBUILD ${'ONBUILD '.repeat(8000)}`,
    `CMD ${'['.repeat(60_000)}`,
    `LABEL a=${'${A:-'.repeat(10_000)}`,
    `COPY ${'<<a '.repeat(15_000)} /`,
    `ENV ${'a=b '.repeat(15_000)}`,
    `RUN --mount=${'"",'.repeat(20_000)}`,
    `EXPOSE ${'1-65535 '.repeat(8000)}`,
  ]) {
    parseOr(Buffer.from(`${line}\nFROM a\n`));
    parseOr(Buffer.from(`FROM a\n${line}\n`));
  }
});
