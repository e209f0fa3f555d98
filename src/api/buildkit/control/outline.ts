import { invalid } from '#/base/errors.ts';
import type { ArgInstruction, RunInstruction } from '#/dockerfile/instruction.ts';
import { readMount } from '#/dockerfile/mount.ts';
import type { Dockerfile, Stage } from '#/dockerfile/parse.ts';
import type { SourceRange } from '#/dockerfile/source.ts';
import type { Attributes } from './attributes.ts';
import { base64, rangeOf } from './source-range.ts';

/** What a target can be given: arguments, secrets, agents and caches, as BuildKit's clients show it. */
export function outlineOf(file: Dockerfile, attributes: Attributes): object {
  const target = targetOf(file, attributes.get('target') ?? '');
  const stages = [...needed(file, target)].toSorted((a, b) => a.index - b.index);
  const instructions = stages.flatMap((stage) => stage.instructions);
  const args = [...file.metaArgs, ...instructions.filter((instruction) => instruction.kind === 'arg')];
  const mounts = instructions.filter((instruction) => instruction.kind === 'run').flatMap(mountsOf);
  const named = (type: string): object[] =>
    mounts
      .filter((mount) => mount.type === type && mount.id !== undefined)
      .map(({ id, required, location }) => ({ name: id, ...(required && { required }), location }));
  const caches = mounts.filter(({ type }) => type === 'cache');
  return {
    ...(target.name !== undefined && { name: target.name }),
    ...(target.from.description !== undefined && { description: target.from.description }),
    args: argsOf(args, attributes),
    secrets: named('secret'),
    ssh: named('ssh'),
    cache: caches.map(({ id, target: path, location }) => ({ ID: id ?? path, location })),
    sources: [base64(file.source)],
  };
}

function targetOf({ stages }: Dockerfile, name: string): Stage {
  const stage =
    name === ''
      ? stages.at(-1)
      : (stages.findLast((each) => each.name === name.toLowerCase()) ??
        (/^\d{1,6}$/.test(name) ? stages[Number(name)] : undefined));
  if (stage === undefined) throw invalid(`target stage ${JSON.stringify(name)} could not be found`);
  return stage;
}

/** The stage with all that it is made from. */
function needed(file: Dockerfile, stage: Stage, found: Set<Stage> = new Set()): Set<Stage> {
  if (found.has(stage)) return found;
  found.add(stage);
  const names = stage.instructions.flatMap((instruction) => {
    if (instruction.kind === 'copy') return instruction.from ?? [];
    return instruction.kind === 'run' ? mountsOf(instruction).flatMap(({ from }) => from ?? []) : [];
  });
  for (const name of [stage.from.image, ...names]) {
    const earlier = file.stages.findLast(
      (each) => each.index < stage.index && (each.name === name.toLowerCase() || String(each.index) === name),
    );
    if (earlier !== undefined) needed(file, earlier, found);
  }
  return found;
}

/** Each argument once, with the value that it is given or has of itself. */
function argsOf(instructions: readonly ArgInstruction[], attributes: Attributes): object[] {
  const args = new Map<string, object>();
  for (const { args: declared, range } of instructions) {
    for (const { name, value: own, description } of declared) {
      const value = attributes.get(`build-arg:${name}`) ?? own;
      const text = {
        ...(description !== undefined && { description }),
        ...(value !== undefined && { value }),
      };
      if (!args.has(name)) args.set(name, { name, ...text, location: place(range) });
    }
  }
  return [...args.values()];
}

/** Variables in options stay as they are written: nothing is evaluated here. */
function mountsOf({
  mounts,
  range,
}: RunInstruction): (ReturnType<typeof readMount> & { location: object })[] {
  return mounts.map((text) => ({ ...readMount(text, (value) => value), location: place(range) }));
}

function place(range: SourceRange): object {
  return { ranges: [rangeOf(range)] };
}
