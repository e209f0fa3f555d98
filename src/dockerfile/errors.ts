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

/** The error with the place in the Dockerfile that it belongs to; one that knows its place already stays as it is. */
export function placed(error: EngineError, place: ProblemPlace): DockerfileError {
  if (error instanceof DockerfileError) return error;
  return new DockerfileError(error.message, place, { kind: error.kind, cause: error });
}
