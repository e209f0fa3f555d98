import { EngineError } from '#/base/errors.ts';
import { StepError } from '#/builder/step-error.ts';
import { WordedError } from '#/builder/worded-error.ts';
import { DockerfileError } from '#/dockerfile/errors.ts';
import { failureOf } from '../errors.ts';

/** What a classic build says of its failure. */
export interface ClassicFailure {
  /** The exit code of the command that failed. */
  readonly code?: number;
  readonly message: string;
}

/** A failure in the words of Docker's classic builder. */
export function classicFailure(error: unknown): ClassicFailure {
  let verb = 'COPY';
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof DockerfileError) verb = keywordOf(cause) === 'ADD' ? 'ADD' : verb;
    if (cause instanceof StepError) {
      const { command, exitCode: code } = cause;
      return { code, message: `The command '${command}' returned a non-zero code: ${code}` };
    }
    if (cause instanceof WordedError) return { message: cause.plain };
    const missing = missingFile(cause, verb);
    if (missing !== undefined) return { message: missing };
  }
  return { message: failureOf(error).message };
}

/** What COPY or ADD says if there is no such file. */
function missingFile(error: Error, verb: string): string | undefined {
  if (!(error instanceof EngineError) || error.kind !== 'notFound') return undefined;
  const path = /^"\/(.*)": not found$/.exec(error.message)?.[1];
  if (path === undefined) return undefined;
  return `${verb} failed: file not found in build context or excluded by .dockerignore: stat ${path}: file does not exist`;
}

function keywordOf({ source, range }: DockerfileError): string {
  const line = source.lines[range.start.line - 1] ?? '';
  return /^\s*(\w+)/.exec(line)?.[1]?.toUpperCase() ?? '';
}
