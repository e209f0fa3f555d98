import type { BuildFailure, BuildOutcome, BuildStatus } from '#/wire/build-status.ts';
import type { Output } from '../../command.ts';
import { failureReport } from './plain.ts';
import { Steps } from './steps.ts';
import type { BuildView } from './view.ts';

/** What happens in a build as the JSON of BuildKit's clients, one object in each line, for programs. */
export class RawView implements BuildView {
  readonly #output: Output;

  constructor(output: Output) {
    this.#output = output;
  }

  take(status: BuildStatus): void {
    this.#output.write(`${JSON.stringify(status)}\n`);
  }

  pause(): void {
    // Nothing is on the screen.
  }

  resume(): void {
    // Nothing was.
  }

  end(_outcome: BuildOutcome | undefined): void {
    // The result is told in another way.
  }

  fail(_failure: BuildFailure | undefined): void {
    // The message of the error follows, as it does for BuildKit's clients.
  }
}

/** Nothing while all goes well; what failed, and why. */
export class QuietView implements BuildView {
  readonly #output: Output;
  readonly #steps = new Steps();

  constructor(output: Output) {
    this.#output = output;
  }

  take(status: BuildStatus): void {
    this.#steps.take(status);
  }

  pause(): void {
    // Nothing is on the screen.
  }

  resume(): void {
    // Nothing was.
  }

  end(_outcome: BuildOutcome | undefined): void {
    // Nothing is to be said.
  }

  fail(failure: BuildFailure | undefined): void {
    this.#output.write(failureReport(this.#steps, failure));
  }
}
