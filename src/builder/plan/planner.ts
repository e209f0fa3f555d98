import { invalid } from '#/base/errors.ts';
import { globalArgs, platformArgs } from '#/dockerfile/global-args.ts';
import type { Dockerfile, Stage } from '#/dockerfile/parse.ts';
import { withSuggestion } from '#/dockerfile/suggest.ts';
import { hostPlatform, type Platform } from '#/oci/platform.ts';
import type { PlannedInstruction } from '../progress.ts';
import type { BuildRequest } from '../request.ts';
import type { PlanNode } from './graph.ts';
import type { PlanFindings } from './lint-build.ts';
import type { PlanSources } from './plan-sources.ts';
import { StageEvaluation } from './stage-evaluation.ts';
import { checkCycles } from './stage-graph.ts';
import type { StageState } from './stage-state.ts';
import { proxyEnv } from './variables.ts';

/** What there is to do to build an image for one platform. */
export interface BuildPlan {
  readonly platform: Platform;
  /** The files of the image; undefined: it has none. */
  readonly tree: PlanNode | undefined;
  /** Everything else about it. */
  readonly state: StageState;
  readonly instructions: readonly PlannedInstruction[];
  /** Names of build arguments that no ARG asks for. */
  readonly unusedArgs: readonly string[];
}

/** What planning works with. */
export interface PlanInput {
  readonly dockerfile: Dockerfile;
  readonly request: BuildRequest;
  readonly platform: Platform;
  readonly sources: PlanSources;
  /** Several platforms are built: then names say which. */
  readonly isMultiPlatform: boolean;
  /** Takes note of what planning finds out. */
  readonly findings: PlanFindings;
}

/** A stage that is being evaluated, or was. */
interface Evaluated {
  readonly state: Promise<StageState>;
  readonly instructions: PlannedInstruction[];
}

/** Arguments that builds know without an ARG. */
const predefined = /^(BUILDKIT_|SOURCE_DATE_EPOCH$)/;

/**
 * Evaluates the stages that the target needs, instruction by instruction. Throws `DockerfileError` for what is wrong, with
 * the place.
 */
export async function planBuild(input: PlanInput): Promise<BuildPlan> {
  return new Planner(input).plan();
}

class Planner {
  readonly #input: PlanInput;
  readonly #global: ReadonlyMap<string, string>;
  readonly #evaluated = new Map<Stage, Evaluated>();
  readonly #usedArgs = new Set<string>();

  constructor(input: PlanInput) {
    this.#input = input;
    const { dockerfile, request, platform } = input;
    const target = { platform, host: hostPlatform(), stage: request.target };
    this.#global = globalArgs(dockerfile, platformArgs(dockerfile, target), request.args);
  }

  async plan(): Promise<BuildPlan> {
    const { dockerfile, request, platform } = this.#input;
    const target = this.#targetStage();
    checkCycles(dockerfile, (name) => this.#input.sources.isNamed(name));
    const state = await this.#stage(target);
    for (const { args } of dockerfile.metaArgs) for (const { name } of args) this.#usedArgs.add(name);
    const labels = { ...state.config.Labels, ...Object.fromEntries(request.labels) };
    const hasLabels = Object.keys(labels).length > 0;
    const instructions = [
      ...dockerfile.metaArgs.map(({ text }): PlannedInstruction => {
        return { text, vertex: undefined, role: 'argument', told: '' };
      }),
      ...dockerfile.stages.flatMap((stage) => this.#evaluated.get(stage)?.instructions ?? []),
    ];
    return {
      platform,
      tree: state.tree,
      state: { ...state, config: hasLabels ? { ...state.config, Labels: labels } : state.config },
      instructions,
      unusedArgs: [...request.args.keys()].filter(
        (name) =>
          !this.#usedArgs.has(name) && !predefined.test(name) && proxyEnv(new Map([[name, '']])).length === 0,
      ),
    };
  }

  #targetStage(): Stage {
    const { dockerfile, request } = this.#input;
    const { stages } = dockerfile;
    const { target } = request;
    const found =
      target === undefined || target === ''
        ? stages.at(-1)
        : stages.findLast(({ name }) => name === target.toLowerCase());
    if (found !== undefined) return found;
    const names = stages.flatMap(({ name }) => name ?? []);
    const text = `target stage ${JSON.stringify(target)} could not be found`;
    throw invalid(withSuggestion(text, target?.toLowerCase() ?? '', names));
  }

  /** What a stage comes to. */
  #stage(stage: Stage): Promise<StageState> {
    const known = this.#evaluated.get(stage);
    if (known !== undefined) return known.state;
    const instructions: PlannedInstruction[] = [];
    const evaluation = new StageEvaluation(
      {
        ...this.#input,
        global: this.#global,
        usedArgs: this.#usedArgs,
        stage: (other) => this.#stage(other),
      },
      stage,
      instructions,
    );
    const state = evaluation.run();
    // Who waits for it may not have come yet.
    state.catch(() => {});
    this.#evaluated.set(stage, { state, instructions });
    this.#input.findings.stages.add(stage.index);
    return state;
  }
}
