import { EngineError } from '#/base/errors.ts';
import { goQuote } from '#/base/go-quote.ts';

/** The process of a RUN instruction has failed. The message is BuildKit's: `process "…" did not complete successfully: exit code: 1`. */
export class StepError extends EngineError {
  /** 128 + signal if a signal ended it. */
  readonly exitCode: number;
  /** What ran, as shown to people. */
  readonly command: string;

  constructor(command: string, exitCode: number) {
    super('invalid', `process ${goQuote(command)} did not complete successfully: exit code: ${exitCode}`);
    this.name = 'StepError';
    this.command = command;
    this.exitCode = exitCode;
  }
}

/** The client does not lend what a RUN instruction cannot do without. The messages are BuildKit's. */
export class NotLentError extends EngineError {
  constructor(message: string) {
    super('invalid', message);
    this.name = 'NotLentError';
  }
}
