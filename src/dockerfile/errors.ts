import { EngineError, type ErrorKind } from '#/base/errors.ts';
import { excerpt, type SourceRange, type SourceText } from './source.ts';

/** Where something is wrong, and what to do about it. */
export interface ProblemPlace {
  readonly source: SourceText;
  readonly range: SourceRange;
  /** A sentence for people: what to write instead. */
  readonly hint?: string;
}

/**
 * Something is wrong with a Dockerfile. The message is the one of Docker's builder, which tools look for; where it is, the
 * excerpt and the hint are for whoever shows the error to people.
 */
export class DockerfileError extends EngineError {
  readonly source: SourceText;
  readonly range: SourceRange;
  readonly hint: string | undefined;

  constructor(message: string, place: ProblemPlace, options?: { cause?: unknown; kind?: ErrorKind }) {
    super(options?.kind ?? 'invalid', message, options);
    this.name = 'DockerfileError';
    this.source = place.source;
    this.range = place.range;
    this.hint = place.hint;
  }

  /** The lines that are meant, marked, with some around them. */
  get excerpt(): string {
    return excerpt(this.source, this.range);
  }
}

/** An error whose place is not known yet, but what to do about it. */
class HintedError extends EngineError {
  readonly hint: string;

  constructor(message: string, hint: string, cause?: unknown) {
    super('invalid', message, { cause });
    this.hint = hint;
  }
}

/** Something is wrong, and `hint` says to people what to write instead. */
export function invalidHinted(message: string, hint: string, cause?: unknown): EngineError {
  return new HintedError(message, hint, cause);
}

/** What to do about an error, if it says so. */
export function hintOf(error: unknown): string | undefined {
  return error instanceof HintedError || error instanceof DockerfileError ? error.hint : undefined;
}

/** The error with the place in the Dockerfile that it belongs to; one that knows its place already stays as it is. */
export function placed(error: EngineError, place: ProblemPlace): DockerfileError {
  if (error instanceof DockerfileError) return error;
  const hint = place.hint ?? hintOf(error);
  const { source, range } = place;
  return new DockerfileError(
    error.message,
    { source, range, ...(hint !== undefined && { hint }) },
    { kind: error.kind, cause: error },
  );
}
