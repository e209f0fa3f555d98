import { EngineError, invalid } from '#/base/errors.ts';
import type { ImageRuntimeConfig } from '#/oci/image-config.ts';
import { hostPlatform } from '#/oci/platform.ts';
import { type DockerfileError, placed } from '../errors.ts';
import { globalArgs, platformArgs } from '../global-args.ts';
import type { IgnoreRules } from '../ignore.ts';
import type { InstructionBase } from '../instruction.ts';
import type { Dockerfile, Stage } from '../parse.ts';
import { type LintConfig, parseLintConfig } from './config.ts';
import { type StageView, viewOfImage, viewOfStage } from './environment.ts';
import { checkDefaults, checkFrom } from './from-checks.ts';
import { type LintSubject, type LintWarning, Report } from './report.ts';
import { StageChecks, type StageSurroundings } from './stage-checks.ts';
import { checkSyntax } from './syntax-checks.ts';

/** What the linter may know besides the Dockerfile; all of it makes it see more. */
export interface LintOptions {
  /** Instead of what the file says in `# check=`. */
  readonly config?: LintConfig;
  /** The arguments of the build. */
  readonly args?: ReadonlyMap<string, string>;
  /** The arguments that are always there, such as TARGETPLATFORM; default those of the host. */
  readonly platformArgs?: ReadonlyMap<string, string>;
  /** The configuration of an image that a FROM names, if it is known. */
  readonly imageConfig?: (image: string, stage: Stage) => ImageRuntimeConfig | undefined;
  /** The rules of the context's ignore file. */
  readonly ignore?: IgnoreRules;
  /** Indexes of the stages that the target needs; default all. */
  readonly stages?: ReadonlySet<number>;
}

/** What was found. */
export interface LintResult {
  readonly warnings: readonly LintWarning[];
  /** The file says that warnings are errors, and there are some. */
  readonly violation: EngineError | undefined;
  /** What would make a build fail: an instruction that cannot be evaluated, or the violation. */
  readonly failure: EngineError | undefined;
}

/** Looks for what could be better in a Dockerfile. */
export function lint(file: Dockerfile, options: LintOptions = {}): LintResult {
  const config = options.config ?? parseLintConfig(file.check?.split(' ', 1)[0] ?? '');
  const report = new Report(config);
  const subject: LintSubject = { file, report };
  checkSyntax(subject);
  const error = checkStages(subject, options);
  const warnings = report.warnings();
  const rules = [...new Set(warnings.map(({ rule }) => rule))];
  const isViolation = config.isStrict && rules.length > 0;
  const violation = isViolation ? invalid(`lint violation found for rules: ${rules.join(', ')}`) : undefined;
  return { warnings, violation, failure: error ?? violation };
}

/** Evaluates as far as it goes. */
function checkStages(subject: LintSubject, options: LintOptions): DockerfileError | undefined {
  const { file } = subject;
  let at: InstructionBase | undefined = file.metaArgs[0] ?? file.stages[0]?.from;
  try {
    const host = hostPlatform();
    const platform = options.platformArgs ?? platformArgs(file, { platform: host, host });
    const args = options.args ?? new Map<string, string>();
    checkDefaults(subject, platform);
    const globals = globalArgs(file, platform, args);
    const images = file.stages.map(({ from }) => {
      at = from;
      return checkFrom(from, subject, globals);
    });
    const around: StageSurroundings = { args, globals, ignore: options.ignore };
    const views: StageView[] = [];
    for (const stage of file.stages) {
      const image = images[stage.index] ?? '';
      const base = file.stages.findLast(({ index, name }) => index < stage.index && name === image);
      const known = base === undefined ? undefined : views[base.index];
      const view = known === undefined ? viewOfImage(configOf(image, stage, options)) : viewOfStage(known);
      views.push(view);
      if (options.stages?.has(stage.index) === false) continue;
      const checks = new StageChecks(subject, around, view);
      for (const instruction of stage.instructions) {
        at = instruction;
        checks.check(instruction);
      }
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof EngineError) || at === undefined) throw error;
    return placed(error, { source: file.source, range: at.range });
  }
}

function configOf(image: string, stage: Stage, { imageConfig }: LintOptions): ImageRuntimeConfig | undefined {
  return image === 'scratch' ? {} : imageConfig?.(image, stage);
}
