import { EngineError } from '#/base/errors.ts';
import { DockerfileError } from '#/dockerfile/errors.ts';
import type { IgnoreRules } from '#/dockerfile/ignore.ts';
import { type LintResult, lint } from '#/dockerfile/lint/lint.ts';
import type { LintWarning } from '#/dockerfile/lint/report.ts';
import { type Dockerfile, parseDockerfile } from '#/dockerfile/parse.ts';
import { excerpt } from '#/dockerfile/source.ts';
import type { Output } from '../command.ts';

/** A Dockerfile to look at. */
export interface CheckInput {
  readonly name: string;
  readonly content: Buffer;
  readonly args: ReadonlyMap<string, string>;
  /** The rules of the ignore file, if the context is here. */
  readonly ignore: IgnoreRules | undefined;
  /** Only say how many warnings there are. */
  readonly quiet: boolean;
}

/** `build --check`: tells what could be better in a Dockerfile; gives the exit code, 1 if there is anything. */
export function checkDockerfile(
  { name, content, args, ignore, quiet }: CheckInput,
  { stdout, stderr }: { stdout: Output; stderr: Output },
): number {
  let file: Dockerfile;
  let found: LintResult;
  try {
    file = parseDockerfile(content, { name });
    found = lint(file, { args, ...(ignore !== undefined && { ignore }) });
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    stderr.write(failureText(error));
    return 1;
  }
  const { warnings, failure } = found;
  stdout.write(headline(warnings.length));
  if (!quiet) for (const warning of warnings) stdout.write(`\n${warningText(warning, file)}`);
  if (failure !== undefined) stderr.write(`\n${failureText(failure)}`);
  return warnings.length > 0 || failure !== undefined ? 1 : 0;
}

function headline(count: number): string {
  if (count === 0) return 'Check complete, no warnings found.\n';
  return `Check complete, ${count} ${count === 1 ? 'warning has' : 'warnings have'} been found!\n`;
}

function warningText({ rule, message, fix, url, range }: LintWarning, { source }: Dockerfile): string {
  return `WARNING: ${rule} - ${url}\n${message}\n${fix}\n${excerpt(source, range)}\n`;
}

function failureText(error: EngineError): string {
  if (!(error instanceof DockerfileError)) return `ERROR: ${error.message}\n`;
  const hint = error.hint === undefined ? '' : `${error.hint}\n`;
  return `ERROR: ${error.message}\n${error.excerpt}\n${hint}`;
}
