import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DockerfileError } from './errors.ts';
import { expandWord } from './expand.ts';
import { expandInstruction, readMounts } from './expand-instruction.ts';
import type { StageInstruction } from './instruction.ts';
import { type Dockerfile, parseDockerfile, type Stage } from './parse.ts';
import { runScript } from './read-run.ts';
import type { SourceRange } from './source.ts';

/**
 * Folders with a Dockerfile each: in `good` with what it means (plan.json), in `wrong` with what is said about it (error.txt).
 * UPDATE_GOLDENS=1 writes the results anew; look at the difference then.
 */
const root = join(import.meta.dirname, 'testdata');
const updates = process.env.UPDATE_GOLDENS === '1';

function cases(kind: 'good' | 'wrong'): readonly { name: string; folder: string; bytes: Buffer }[] {
  return readdirSync(join(root, kind)).map((name) => {
    const folder = join(root, kind, name);
    return { name, folder, bytes: readFileSync(join(folder, 'Dockerfile')) };
  });
}

function compare(file: string, actual: string): void {
  if (updates) writeFileSync(file, actual);
  assert.equal(actual, readFileSync(file, 'utf8'));
}

for (const { name, folder, bytes } of cases('good')) {
  test(`parseDockerfile: means what the plan says: ${name}`, () => {
    compare(join(folder, 'plan.json'), `${JSON.stringify(planOf(parseDockerfile(bytes)), null, 2)}\n`);
  });
}

for (const { name, folder, bytes } of cases('wrong')) {
  test(`parseDockerfile: tells what is wrong: ${name}`, () => {
    assert.throws(
      () => parseDockerfile(bytes),
      (error) => {
        assert.ok(error instanceof DockerfileError);
        assert.equal(error.kind, 'invalid');
        compare(join(folder, 'error.txt'), `${error.message}\n\n${error.excerpt}\n\n${error.hint ?? ''}\n`);
        return true;
      },
    );
  });
}

test('goldens: there are enough of them', () => {
  assert.ok(cases('good').length >= 80);
  assert.ok(cases('wrong').length >= 60);
});

/** A file in short: places as text, nothing that is not there, and what expansion makes of an instruction. */
function planOf(file: Dockerfile): unknown {
  const { escape, syntax, check, metaArgs, stages, emptyContinuations } = file;
  return brief({
    syntax,
    check,
    escape: escape === '`' ? escape : undefined,
    metaArgs,
    stages: stages.map((stage) => ({ from: stage.from, instructions: planOfStage(stage, file) })),
    emptyContinuations: emptyContinuations.map(({ start }) => start.line),
  });
}

/** Evaluates ENV and the defaults of ARG only; the rest is a matter of the builder. */
function planOfStage({ instructions }: Stage, { escape }: Dockerfile): unknown[] {
  const variables = new Map<string, string>();
  return instructions.map((instruction) => {
    const expanded = expandInstruction(instruction, variables, { escape });
    if (expanded.kind === 'env') for (const { name, value } of expanded.pairs) variables.set(name, value);
    if (expanded.kind === 'arg') {
      for (const { name, value } of expanded.args) {
        if (value !== undefined) variables.set(name, expandWord(value, variables, { escape }));
      }
    }
    const isSame = JSON.stringify(expanded) === JSON.stringify(instruction);
    return {
      ...instruction,
      ...(isSame ? {} : { expanded: changed(instruction, expanded) }),
      ...(instruction.kind !== 'run'
        ? {}
        : {
            script: instruction.heredocs.length === 0 ? undefined : runScript(instruction),
            mounts: readMounts(instruction, variables, { escape }),
          }),
    };
  });
}

function changed(before: StageInstruction, after: StageInstruction): unknown {
  const old = new Map(Object.entries(before));
  return Object.fromEntries(
    Object.entries(after).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(old.get(key))),
  );
}

function brief(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(brief);
  if (typeof value !== 'object' || value === null) return value;
  if (isRange(value)) {
    return `${value.start.line}:${value.start.column}-${value.end.line}:${value.end.column}`;
  }
  const isNothing = (member: unknown): boolean =>
    member === undefined || (Array.isArray(member) && member.length === 0);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => !isNothing(member))
      .map(([key, member]) => [key, brief(member)]),
  );
}

function isRange(value: object): value is SourceRange {
  return 'start' in value && 'end' in value;
}
