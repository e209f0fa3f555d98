import type { EngineError } from '#/base/errors.ts';
import { platformArgs } from '#/dockerfile/global-args.ts';
import { IgnoreRules } from '#/dockerfile/ignore.ts';
import { type LintConfig, parseLintConfig } from '#/dockerfile/lint/config.ts';
import { lint } from '#/dockerfile/lint/lint.ts';
import type { LintWarning } from '#/dockerfile/lint/report.ts';
import type { Dockerfile } from '#/dockerfile/parse.ts';
import type { Digest } from '#/oci/digest.ts';
import type { ImageRuntimeConfig } from '#/oci/image-config.ts';
import { hostPlatform, type Platform } from '#/oci/platform.ts';
import type { WarningEvent } from '../progress.ts';
import type { BuildRequest } from '../request.ts';

/** What planning finds out that the linter wants to know, filled while it goes on. */
export interface PlanFindings {
  /** Indexes of the stages that are evaluated. */
  readonly stages: Set<number>;
  /** By the stage that begins with it. */
  readonly images: Map<number, ImageRuntimeConfig>;
}

/** A Dockerfile as a build uses it. */
export interface LintedBuild {
  readonly dockerfile: Dockerfile;
  /** The vertex that the warnings belong to. */
  readonly vertex: Digest | undefined;
  readonly request: Pick<BuildRequest, 'args' | 'target'>;
  /** Patterns of the ignore file. */
  readonly excludes: readonly string[];
  readonly platform: Platform;
  readonly findings: PlanFindings;
}

/** What a build wants of the linter: its argument counts more than the file. Throws `invalid`. */
export function lintConfigOf({ check }: Dockerfile, args: ReadonlyMap<string, string>): LintConfig {
  return parseLintConfig(args.get('BUILDKIT_DOCKERFILE_CHECK') ?? check?.split(' ', 1)[0] ?? '');
}

/**
 * What could be better in a Dockerfile, as far as its stages are built; `violation` is there where warnings are errors. What makes
 * the build itself fail is left to it.
 */
export function lintBuild(
  build: LintedBuild,
  config: LintConfig,
): { readonly warnings: readonly WarningEvent[]; readonly violation: EngineError | undefined } {
  const { dockerfile, request, excludes, platform, findings } = build;
  const { args, target } = request;
  const { warnings, violation } = lint(dockerfile, {
    config,
    args,
    platformArgs: platformArgs(dockerfile, { platform, host: hostPlatform(), stage: target }),
    imageConfig: (_image, { index }) => findings.images.get(index),
    stages: findings.stages,
    ...(excludes.length > 0 && { ignore: new IgnoreRules(excludes) }),
  });
  return { warnings: warnings.map((warning) => eventOf(warning, build)), violation };
}

function eventOf(
  { rule, message, description, fix, url, range }: LintWarning,
  { dockerfile: { source }, vertex }: LintedBuild,
): WarningEvent {
  const { start, end } = range;
  return {
    kind: 'warning',
    vertex,
    rule,
    short: `${rule}: ${message} (line ${start.line})`,
    detail: [description, fix],
    url,
    source,
    lines: [start.line, end.line],
  };
}
