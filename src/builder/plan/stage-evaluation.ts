import { posix } from 'node:path';
import { EngineError, invalid } from '#/base/errors.ts';
import { goQuote } from '#/base/go-quote.ts';
import { invalidHinted, placed } from '#/dockerfile/errors.ts';
import { expandForDisplay, expandWord } from '#/dockerfile/expand.ts';
import { expandInstruction } from '#/dockerfile/expand-instruction.ts';
import type {
  AddInstruction,
  ArgInstruction,
  CopyInstruction,
  Instruction,
  RunInstruction,
  StageInstruction,
} from '#/dockerfile/instruction.ts';
import { type Dockerfile, parseInstructions, type Stage } from '#/dockerfile/parse.ts';
import { scriptSummary } from '#/dockerfile/read-run.ts';
import { digestOf } from '#/oci/digest.ts';
import type { ImageConfig } from '#/oci/image-config.ts';
import { formatPlatform, type Platform, parsePlatform } from '#/oci/platform.ts';
import type { PlannedInstruction } from '../progress.ts';
import type { BuildRequest } from '../request.ts';
import { WordedError } from '../worded-error.ts';
import { applyConfig, workingDirectory } from './config-instructions.ts';
import { planCopy } from './copy-plan.ts';
import type { PlanNode, StepNode, TreeInput } from './graph.ts';
import type { PlanFindings } from './lint-build.ts';
import type { PlanSources } from './plan-sources.ts';
import { planRun } from './run-plan.ts';
import { baseStage, checkedSource, sourceStage, stageName } from './stage-graph.ts';
import { emptyState, imageState, inheritedState, type StageState, withHistory } from './stage-state.ts';
import { argValues, proxyEnv } from './variables.ts';

/** What the evaluation of a stage needs of the rest of the plan. */
export interface StageScope {
  readonly dockerfile: Dockerfile;
  readonly request: BuildRequest;
  readonly platform: Platform;
  readonly sources: PlanSources;
  readonly isMultiPlatform: boolean;
  readonly findings: PlanFindings;
  readonly global: ReadonlyMap<string, string>;
  readonly usedArgs: Set<string>;
  readonly stage: (stage: Stage) => Promise<StageState>;
}

/** The evaluation of one stage. To be run once. */
export class StageEvaluation {
  readonly #scope: StageScope;
  readonly #stage: Stage;
  readonly #instructions: PlannedInstruction[];
  /** Steps of this stage so far, FROM among them, and in all. */
  #step = 0;
  #steps = 0;
  /** The instruction at hand is one that the base image has left. */
  #isTrigger = false;

  constructor(scope: StageScope, stage: Stage, instructions: PlannedInstruction[]) {
    this.#scope = scope;
    this.#stage = stage;
    this.#instructions = instructions;
  }

  get #expand(): { escape: Dockerfile['escape'] } {
    return { escape: this.#scope.dockerfile.escape };
  }

  async run(): Promise<StageState> {
    const { from, instructions } = this.#stage;
    let state = await this.#placed(from, () => this.#begin());
    const triggers = state.triggers.flatMap((text) => this.#parseTrigger(text));
    this.#steps += [...triggers, ...instructions].filter(makesStep).length;
    for (const [index, instruction] of [...triggers, ...instructions].entries()) {
      this.#isTrigger = index < triggers.length;
      state = await this.#placed(instruction, () => this.#apply(state, instruction));
    }
    return state;
  }

  /** The state that FROM gives. */
  async #begin(): Promise<StageState> {
    const { global, platform: wanted, stage: evaluate, dockerfile, sources } = this.#scope;
    const { from } = this.#stage;
    const options = this.#expand;
    const image = expandWord(from.image, global, options);
    if (image === '') {
      throw invalidHinted(
        `base name (${from.image}) should not be blank`,
        'Give the ARGs before the first FROM defaults, or pass them with --build-arg.',
      );
    }
    const asked = from.platform === undefined ? '' : expandWord(from.platform, global, options);
    if (from.platform !== undefined && asked === '')
      throw invalid(`empty platform value from expression ${from.platform}`);
    const platform = asked === '' ? wanted : platformNamed(asked);
    if (image === 'scratch') {
      this.#note(from.text, undefined);
      return emptyState(platform);
    }
    const base = sources.isNamed(image) ? undefined : baseStage(dockerfile, this.#stage, image);
    if (base !== undefined) {
      const state = await evaluate(base);
      this.#note(from.text, undefined);
      return inheritedState(state, asked === '' ? state.platform : platform);
    }
    return this.#beginWithImage(image, platform);
  }

  async #beginWithImage(image: string, platform: Platform): Promise<StageState> {
    this.#steps = 1 + this.#stage.instructions.filter(makesStep).length;
    const { sources } = this.#scope;
    const name = this.#vertexName(`FROM ${shownImage(sources, image)}`);
    this.#steps = 1;
    const { tree, config } = await sources.base(image, { platform, name });
    this.#scope.findings.images.set(this.#stage.index, config?.config ?? {});
    this.#note(this.#stage.from.text, tree);
    if (config !== undefined) return imageState(config, { platform: platformOf(config, platform), tree });
    const state = { ...emptyState(platform), tree };
    return tree.kind === 'copy' ? withHistory(state, 'COPY / / # buildkit', { layer: tree }) : state;
  }

  #apply(state: StageState, instruction: StageInstruction): StageState | Promise<StageState> {
    if (instruction.kind === 'arg') return this.#applyArg(state, instruction);
    const expanded = expandInstruction(instruction, state.variables, this.#expand);
    const { text } = instruction;
    if (expanded.kind === 'run') return this.#applyRun(state, expanded, text);
    if (expanded.kind === 'copy' || expanded.kind === 'add') return this.#applyCopy(state, expanded, text);
    const written = expanded.kind === 'workdir' ? workingDirectory(state, expanded.value) : '/';
    const path = posix.resolve(written);
    if (path === '/') {
      const next = applyConfig(state, expanded);
      const isTold = next.history.length > state.history.length;
      this.#note(text, undefined, isTold ? next.history.at(-1)?.createdBy : '');
      return next;
    }
    const user = state.config.User ?? '';
    const node: StepNode = { ...this.#stepBase(state, instruction), kind: 'directory', path, user };
    this.#note(text, node);
    const config = { ...state.config, WorkingDir: written };
    return withHistory({ ...state, config, tree: node }, `WORKDIR ${written}`, { layer: node });
  }

  #applyArg(state: StageState, instruction: ArgInstruction): StageState {
    const { dockerfile, global, request, usedArgs } = this.#scope;
    const { escape } = dockerfile;
    const { variables: before } = state;
    const scope = { given: request.args, global, variables: before, escape };
    const { values, shown } = argValues(instruction, scope);
    const told = `ARG ${shown.join(' ')}`;
    this.#note(instruction.text, undefined, told);
    const args = new Map(state.args);
    const variables = new Map(before);
    for (const { name, value } of values) {
      usedArgs.add(name);
      args.set(name, value);
      if (value !== undefined) variables.set(name, value);
    }
    return withHistory({ ...state, args, variables }, told);
  }

  /** `text` is the instruction as it was written. */
  async #applyRun(state: StageState, instruction: RunInstruction, text: string): Promise<StageState> {
    const { request } = this.#scope;
    const { run, mounts, shown } = await planRun(state, instruction, {
      request,
      expand: this.#expand,
      cacheNamespace: request.args.get('BUILDKIT_CACHE_MOUNT_NS') ?? '',
      tree: (from, path, target) =>
        this.#tree(from, path, (name) => {
          return `cannot mount from stage ${name} to ${goQuote(target)}, stage needs to be defined before current command`;
        }),
    });
    const hiddenEnv = proxyEnv(request.args);
    const { platform } = state;
    const base = this.#stepBase(state, instruction);
    const node: StepNode = { ...base, kind: 'run', platform, run, mounts, hiddenEnv };
    return this.#add(state, node, { shown, text });
  }

  async #applyCopy(
    state: StageState,
    instruction: CopyInstruction | AddInstruction,
    text: string,
  ): Promise<StageState> {
    const { shown, ...parts } = await planCopy(state, instruction, (from, path) =>
      this.#tree(checkedSource(from, this.#expand), path, (name) => {
        const current = goQuote(stageName(this.#stage));
        return `cannot copy from stage ${name}, it needs to be defined before current stage ${current}`;
      }),
    );
    const node: StepNode = { ...this.#stepBase(state, instruction), kind: 'copy', ...parts };
    return this.#add(state, node, { shown, text });
  }

  #add(state: StageState, node: StepNode, { shown, text }: { shown: string; text: string }): StageState {
    this.#note(text, node);
    return withHistory({ ...state, tree: node }, shown, { layer: node });
  }

  /** A tree that `--from` names: a context of the client's, a stage by name or number, or an image. */
  async #tree(
    from: string | undefined,
    path: string,
    tooEarly: (name: string) => string,
  ): Promise<TreeInput> {
    const { sources, dockerfile, stage: evaluate, platform } = this.#scope;
    if (from === undefined || from === '') return sources.mainContext(path);
    const named = sources.namedTree(from, { path, platform });
    if (named !== undefined) return named;
    const stage = sourceStage(dockerfile, this.#stage, from);
    if (stage !== undefined) {
      if (stage.index > this.#stage.index) {
        throw invalidHinted(tooEarly(goQuote(from)), 'Move that stage up in the file.');
      }
      return (await evaluate(stage)).tree ?? 'scratch';
    }
    if (from === 'scratch') return 'scratch';
    return sources.image(from, { platform, name: `FROM ${shownImage(sources, from)}` });
  }

  #stepBase(
    state: StageState,
    instruction: StageInstruction,
  ): Pick<StepNode, 'digest' | 'name' | 'parent' | 'place' | 'range' | 'noCache'> {
    const { dockerfile, request, platform } = this.#scope;
    const shown = expandForDisplay(instruction.text, state.variables, { escape: dockerfile.escape });
    const summary = instruction.kind === 'run' ? scriptSummary(instruction) : '';
    const prefix = this.#isTrigger ? 'ONBUILD ' : '';
    const name = this.#vertexName(
      `${prefix}${shown.replace(/^\S+/, (word) => word.toUpperCase())}${summary}`,
    );
    const place = `${dockerfile.source.name} ${stageName(this.#stage)} ${this.#step}`;
    const isNoCache = request.noCacheStages.some(
      (wanted) => wanted.toLowerCase() === this.#stage.name || wanted === String(this.#stage.index),
    );
    return {
      digest: digestOf(JSON.stringify([formatPlatform(platform), place, name])),
      name,
      parent: state.tree,
      place,
      range: this.#rangeOf(instruction),
      noCache: request.noCache || isNoCache,
    };
  }

  /** `[linux/arm64 build 2/4] RUN make`; counts. */
  #vertexName(text: string): string {
    const { dockerfile, isMultiPlatform, platform } = this.#scope;
    this.#step += 1;
    const stage = dockerfile.stages.length > 1 ? stageName(this.#stage) : undefined;
    const number = String(this.#step).padStart(String(this.#steps).length);
    const words = [
      ...(isMultiPlatform ? [formatPlatform(platform)] : []),
      ...(stage === undefined ? [] : [stage]),
      `${number}/${this.#steps}`,
    ];
    return `[${words.join(' ')}] ${text}`;
  }

  #note(text: string, vertex: PlanNode | undefined, told: string = ''): void {
    const role = this.#isTrigger ? 'trigger' : 'own';
    this.#instructions.push({ text, vertex: vertex?.digest, role, told });
  }

  #parseTrigger(text: string): StageInstruction[] {
    const found = parseInstructions(text, { name: 'ONBUILD' });
    return found.filter((instruction): instruction is StageInstruction => instruction.kind !== 'from');
  }

  async #placed<T>(instruction: Instruction, work: () => T | Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      throw placed(error, { source: this.#scope.dockerfile.source, range: this.#rangeOf(instruction) });
    }
  }

  /** Where it is in the Dockerfile. What comes from the base image is where that is named. */
  #rangeOf({ range }: Instruction): Instruction['range'] {
    return this.#isTrigger ? this.#stage.from.range : range;
  }
}

/** Throws `invalid` in BuildKit's words. */
function platformNamed(text: string): Platform {
  try {
    return parsePlatform(text);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw invalid(`failed to parse platform ${text}: ${error.message}`, error);
  }
}

/** The name of an image as progress shows it. Throws `WordedError`. */
function shownImage(sources: PlanSources, name: string): string {
  try {
    return sources.shownName(name);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new WordedError(`failed to parse stage name ${goQuote(name)}: ${error.message}`, error);
  }
}

function makesStep({ kind, ...rest }: StageInstruction): boolean {
  if (kind === 'workdir') return !('value' in rest) || rest.value !== '/';
  return kind === 'run' || kind === 'copy' || kind === 'add';
}

/** An image tells what it is for; one that was asked for may stand for several variants. */
function platformOf({ os, architecture, variant, osVersion }: ImageConfig, wanted: Platform): Platform {
  return os === '' || architecture === '' ? wanted : { os, architecture, variant, osVersion };
}
