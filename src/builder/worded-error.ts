import { EngineError } from '#/base/errors.ts';

/** An error with the words that BuildKit puts around it, which tools look for. */
export class WordedError extends EngineError {
  /** What has happened, without them. */
  readonly plain: string;

  constructor(message: string, cause: EngineError) {
    super(cause.kind, message, { cause });
    this.plain = cause.message;
  }
}
