import { posix } from 'node:path';
import { invalid } from '#/base/errors.ts';
import { argValues } from '#/builder/plan/variables.ts';
import { expandWord } from '#/dockerfile/expand.ts';
import { expandInstruction, readMounts } from '#/dockerfile/expand-instruction.ts';
import { globalArgs, platformArgs } from '#/dockerfile/global-args.ts';
import type { ArgInstruction, RunInstruction } from '#/dockerfile/instruction.ts';
import { readMount } from '#/dockerfile/mount.ts';
import type { Dockerfile, Stage } from '#/dockerfile/parse.ts';
import type { SourceRange } from '#/dockerfile/source.ts';
import { hostPlatform } from '#/oci/platform.ts';
import { type Attributes, withPrefix } from './attributes.ts';
import { base64, rangeOf } from './source-range.ts';

/** What a target can be given: arguments, secrets, agents and caches, as BuildKit's clients show it. Throws as a build would. */
export function outlineOf(file: Dockerfile, attributes: Attributes): object {
  const target = targetOf(file, attributes.get('target') ?? '');
  const outline = new Outline(file, attributes);
  for (const stage of outline.needed(target)) outline.evaluate(stage);
  return {
    ...(target.name !== undefined && { name: target.name }),
    ...(target.from.description !== undefined && { description: target.from.description }),
    ...listed('args', [...outline.args.values()]),
    ...listed('secrets', outline.secrets),
    ...listed('ssh', outline.ssh),
    ...listed('cache', outline.caches),
    sources: [base64(file.source)],
  };
}

/** A member with a list; none for an empty one, as in BuildKit. */
function listed(name: string, list: readonly object[]): object {
  return list.length === 0 ? {} : { [name]: list };
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

class Outline {
  readonly #file: Dockerfile;
  readonly #given: ReadonlyMap<string, string>;
  readonly #builtIn: ReadonlyMap<string, string>;
  readonly #global: ReadonlyMap<string, string>;
  /** What the variables of the environment are at the end of a stage. */
  readonly #environments = new Map<number, ReadonlyMap<string, string>>();
  /** Arguments before the first FROM that a FROM uses. */
  readonly #used = new Set<string>();
  readonly args = new Map<string, object>();
  readonly secrets: object[] = [];
  readonly ssh: object[] = [];
  readonly caches: object[] = [];

  constructor(file: Dockerfile, attributes: Attributes) {
    const host = hostPlatform();
    this.#file = file;
    this.#given = withPrefix(attributes, 'build-arg:');
    this.#builtIn = platformArgs(file, { platform: host, host, stage: attributes.get('target') });
    this.#global = globalArgs(file, this.#builtIn, this.#given);
  }

  /** A stage with all that it is made from, in their order. */
  needed(stage: Stage): Stage[] {
    const found = new Set<Stage>();
    const visit = (each: Stage): void => {
      if (found.has(each)) return;
      found.add(each);
      for (const name of [this.#base(each), ...namesIn(each)]) {
        const earlier = this.#earlier(name, each);
        if (earlier !== undefined) visit(earlier);
      }
    };
    visit(stage);
    this.#declareUsed();
    return [...found].toSorted((a, b) => a.index - b.index);
  }

  /** Takes what a stage can be given; what it is made from was evaluated before. */
  evaluate(stage: Stage): void {
    const { escape } = this.#file;
    const base = this.#earlier(this.#base(stage), stage);
    const environment = new Map(base === undefined ? [] : this.#environments.get(base.index));
    const variables = new Map(environment);
    const scope = { given: this.#given, global: this.#global, variables, escape };
    for (const instruction of stage.instructions) {
      if (instruction.kind === 'arg') {
        for (const [index, { name, value }] of argValues(instruction, scope).values.entries()) {
          // As in a build: what ENV says counts more.
          if (value !== undefined && !environment.has(name)) variables.set(name, value);
          this.#declare(instruction, { index, value });
        }
      } else if (instruction.kind === 'env') {
        for (const { name, value } of expandInstruction(instruction, variables, { escape }).pairs) {
          environment.set(name, value);
          variables.set(name, value);
        }
      } else if (instruction.kind === 'run') this.#takeMounts(instruction, variables);
    }
    this.#environments.set(stage.index, environment);
  }

  #takeMounts(instruction: RunInstruction, variables: ReadonlyMap<string, string>): void {
    const location = place(instruction.range);
    for (const mount of readMounts(instruction, variables, { escape: this.#file.escape })) {
      const { type, id, source, target, required } = mount;
      const needs = required && { required };
      if (type === 'secret') {
        const name = source ?? id ?? posix.basename(target ?? '');
        this.secrets.push({ name, ...needs, location });
      } else if (type === 'ssh') this.ssh.push({ name: id ?? 'default', ...needs, location });
      else if (type === 'cache') this.caches.push({ ID: id ?? target, location });
    }
  }

  /** An argument is told of where it stands first. What is always there is nobody's to give. */
  #declare(
    { args, range }: ArgInstruction,
    { index, value }: { index: number; value: string | undefined },
  ): void {
    const { name = '', description } = args[index] ?? {};
    if (this.#builtIn.has(name) || this.args.has(name)) return;
    const text = {
      ...(description !== undefined && { description }),
      ...(value !== undefined && value !== '' && { value }),
    };
    this.args.set(name, { name, ...text, location: place(range) });
  }

  #declareUsed(): void {
    for (const instruction of this.#file.metaArgs) {
      for (const [index, { name }] of instruction.args.entries()) {
        if (this.#used.has(name)) this.#declare(instruction, { index, value: this.#global.get(name) });
      }
    }
  }

  /** What a stage begins with. */
  #base({ from }: Stage): string {
    const { escape } = this.#file;
    const onVariable = (name: string): void => void this.#used.add(name);
    return expandWord(from.image, this.#global, { escape, onVariable });
  }

  #earlier(name: string, stage: Stage): Stage | undefined {
    return this.#file.stages.findLast(
      (each) => each.index < stage.index && (each.name === name.toLowerCase() || String(each.index) === name),
    );
  }
}

/** Names of the stages and images that instructions take files from; variables have no place there. */
function namesIn({ instructions }: Stage): string[] {
  return instructions.flatMap((instruction) => {
    if (instruction.kind === 'copy') return instruction.from ?? [];
    if (instruction.kind !== 'run') return [];
    return instruction.mounts.flatMap((text) => readMount(text, (value) => value).from ?? []);
  });
}

function place(range: SourceRange): object {
  return { ranges: [rangeOf(range)] };
}
