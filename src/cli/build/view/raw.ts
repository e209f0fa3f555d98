import type { BuildFailure, BuildOutcome, BuildStatus } from '#/wire/build-status.ts';
import type { Output } from '../../command.ts';
import type { PeopleOutput } from '../../format/safe-text.ts';
import { failureReport } from './plain.ts';
import { Steps } from './steps.ts';
import type { BuildView } from './view.ts';

/** What happens in a build as the JSON of BuildKit's clients, one object in each line, for programs. */
export class RawView implements BuildView {
  readonly #output: Pick<Output, 'write'>;

  constructor(output: Pick<Output, 'write'>) {
    this.#output = output;
  }

  take(status: BuildStatus): void {
    // JSON leaves some control characters of terminals as they are.
    const text = JSON.stringify(status).replaceAll(/[\u007f-\u009f]/g, escaped);
    this.#output.write(`${text}\n`);
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

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Nothing while all goes well; what failed, and why. */
export class QuietView implements BuildView {
  readonly #output: PeopleOutput;
  readonly #steps: Steps;

  constructor(output: PeopleOutput) {
    this.#output = output;
    this.#steps = new Steps((text) => output.line(text));
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
