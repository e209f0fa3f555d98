import { invalid } from '#/base/errors.ts';
import { invalidHinted, placed } from '#/dockerfile/errors.ts';
import { type ExpandOptions, expandWord } from '#/dockerfile/expand.ts';
import { readMounts } from '#/dockerfile/expand-instruction.ts';
import type { StageInstruction } from '#/dockerfile/instruction.ts';
import type { Dockerfile, Stage } from '#/dockerfile/parse.ts';

/** The stage that a FROM of `stage` means by a name; only those before it can be meant. */
export function baseStage({ stages }: Dockerfile, stage: Stage, name: string): Stage | undefined {
  return stages.slice(0, stage.index).findLast((other) => other.name === name.toLowerCase());
}

/** The stage that `--from` means in `stage`, by name or number. Throws `invalid` for a number that none has. */
export function sourceStage(dockerfile: Dockerfile, stage: Stage, name: string): Stage | undefined {
  const { stages } = dockerfile;
  if (/^\d+$/.test(name)) {
    const numbered = stages[Number(name)];
    if (numbered === undefined) {
      throw invalidHinted(
        `invalid stage index ${name}`,
        `Stages count from 0; the last one is ${stages.length - 1}.`,
      );
    }
    return numbered;
  }
  return baseStage(dockerfile, stage, name) ?? stages.find((other) => other.name === name.toLowerCase());
}

/** What `COPY --from` names. Throws `invalid` if there is a variable in it. */
export function checkedSource(from: string | undefined, options: ExpandOptions): string | undefined {
  if (from === undefined || expandWord(from, new Map(), options) === from) return from;
  throw invalidHinted(
    'variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround',
    'For example: ARG VERSION=1, then FROM image:$VERSION AS source, then COPY --from=source.',
  );
}

/** What messages call a stage. */
export function stageName({ name, index }: Stage): string {
  return name ?? `stage-${index}`;
}

/** Throws `DockerfileError` if a stage needs itself. `isReplaced` tells of names that stand for something else. */
export function checkCycles(dockerfile: Dockerfile, isReplaced: (name: string) => boolean): void {
  const done = new Set<Stage>();
  const visit = (stage: Stage, path: readonly Stage[]): void => {
    if (path.includes(stage)) {
      const circle = [...path.slice(path.indexOf(stage)), stage].map(stageName).join(' needs ');
      throw placed(invalid(`circular dependency detected on stage: ${stageName(stage)}`), {
        source: dockerfile.source,
        range: stage.from.range,
        hint: `Stages cannot need themselves: ${circle}.`,
      });
    }
    if (done.has(stage)) return;
    for (const other of neededBy(dockerfile, stage, isReplaced)) visit(other, [...path, stage]);
    done.add(stage);
  };
  for (const stage of dockerfile.stages) visit(stage, []);
}

function neededBy(dockerfile: Dockerfile, stage: Stage, isReplaced: (name: string) => boolean): Stage[] {
  const base = isReplaced(stage.from.image) ? undefined : baseStage(dockerfile, stage, stage.from.image);
  const sources = stage.instructions
    .flatMap(fromNames)
    .filter((name) => !isReplaced(name) && !isMissing(dockerfile, name))
    .map((name) => sourceStage(dockerfile, stage, name));
  return [base, ...sources].filter((other) => other !== undefined);
}

/** The error comes when the instruction is looked at. */
function isMissing({ stages }: Dockerfile, name: string): boolean {
  return /^\d+$/.test(name) && stages[Number(name)] === undefined;
}

function fromNames(instruction: StageInstruction): string[] {
  if (instruction.kind === 'copy') return instruction.from === undefined ? [] : [instruction.from];
  if (instruction.kind !== 'run') return [];
  // No variable counts in `from`.
  return mountsOf(instruction).flatMap(({ from }) => (from === undefined ? [] : [from]));
}

function mountsOf(instruction: StageInstruction & { kind: 'run' }): ReturnType<typeof readMounts> {
  try {
    return readMounts(instruction, new Map());
  } catch {
    // The error comes when the instruction is looked at.
    return [];
  }
}
