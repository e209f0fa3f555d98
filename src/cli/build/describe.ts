import { expandWord } from '#/dockerfile/expand.ts';
import { readMounts } from '#/dockerfile/expand-instruction.ts';
import type { Mount } from '#/dockerfile/mount.ts';
import { type Dockerfile, parseDockerfile, type Stage } from '#/dockerfile/parse.ts';
import { alignColumns } from '../format/tabwriter.ts';

/** A Dockerfile to be told of. */
export interface DescribeInput {
  readonly name: string;
  readonly content: Buffer;
  readonly args: ReadonlyMap<string, string>;
  /** Empty: the last stage. */
  readonly target: string;
}

/** `build --call=targets`: what can be built. Throws an Error for a Dockerfile with mistakes. */
export function describeTargets({ name, content }: Pick<DescribeInput, 'name' | 'content'>): string {
  const { stages } = parseDockerfile(content, { name });
  const last = stages.length - 1;
  const rows = stages
    .filter((stage) => stage.name !== undefined || stage.index === last)
    .map((stage) => {
      const words = [stage.name ?? '', ...(stage.index === last ? ['(default)'] : [])];
      return [words.filter((word) => word !== '').join(' '), stage.from.description ?? ''];
    });
  return table([['TARGET', 'DESCRIPTION'], ...rows], { minWidth: 0, padding: 1 });
}

/** `build --call=outline`: what a build of the target takes: arguments, secrets, SSH agents. Throws an Error. */
export function describeOutline({ name, content, args, target }: DescribeInput): string {
  const file = parseDockerfile(content, { name });
  const stage = findTarget(file, target);
  const needed = baseStages(file, stage);
  const declared = [...file.metaArgs, ...needed.flatMap(({ instructions }) => instructions)].flatMap(
    (instruction) => (instruction.kind === 'arg' ? instruction.args : []),
  );
  const values = new Map(args);
  const rows = declared.map((arg) => {
    const value = args.get(arg.name) ?? (arg.value === undefined ? undefined : expandWord(arg.value, values));
    if (value !== undefined) values.set(arg.name, value);
    return [arg.name, value ?? '', arg.description ?? ''];
  });
  const mounts = needed.flatMap(({ instructions }) =>
    instructions.flatMap((instruction) =>
      instruction.kind === 'run' ? readMounts(instruction, values) : [],
    ),
  );
  return [
    head(stage),
    section(['BUILD ARG', 'VALUE', 'DESCRIPTION'], rows),
    section(['SECRET', 'REQUIRED'], mountRows(mounts, 'secret')),
    section(['SSH', 'REQUIRED'], mountRows(mounts, 'ssh')),
  ]
    .filter((part) => part !== '')
    .map((part) => `${part}\n`)
    .join('');
}

function head(stage: Stage): string {
  const description = stage.from.description ?? '';
  const lines = [
    ...(stage.name === undefined ? [] : [['TARGET:', stage.name]]),
    ...(description === '' ? [] : [['DESCRIPTION:', description]]),
  ];
  return lines.length === 0 ? '' : table(lines, { minWidth: 0, padding: 1 });
}

function section(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  return rows.length === 0 ? '' : table([titles, ...rows], { minWidth: 0, padding: 3 });
}

function mountRows(mounts: readonly Mount[], kind: 'secret' | 'ssh'): string[][] {
  const found = new Map<string, boolean>();
  for (const mount of mounts) {
    if (mount.type !== kind) continue;
    const id = mount.id ?? (kind === 'ssh' ? 'default' : '');
    found.set(id, found.get(id) === true || mount.required);
  }
  return [...found].map(([id, isRequired]) => [id, isRequired ? 'true' : '']);
}

function findTarget({ stages }: Dockerfile, target: string): Stage {
  const found =
    target === ''
      ? stages.at(-1)
      : (stages.find(({ name }) => name === target.toLowerCase()) ?? stages[Number(target)]);
  if (found === undefined) throw new Error(`target stage ${JSON.stringify(target)} could not be found`);
  return found;
}

/** The stage and those that it is based on, the lowest first. */
function baseStages({ stages }: Pick<Dockerfile, 'stages'>, stage: Stage): Stage[] {
  const base = stages.findLast(({ index, name }) => index < stage.index && name === stage.from.image);
  return [...(base === undefined ? [] : baseStages({ stages }, base)), stage];
}

function table(rows: readonly (readonly string[])[], layout: { minWidth: number; padding: number }): string {
  return `${alignColumns(rows.map((row) => row.join('\t')).join('\n'), layout)}\n`;
}
