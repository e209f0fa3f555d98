import type { BuildFailure, BuildOutcome, BuildStatus } from '#/wire/build-status.ts';
import type { Output } from '../../command.ts';
import type { PeopleOutput } from '../../format/safe-text.ts';
import { LiveLines } from '../../progress/live-lines.ts';
import { buildSummary, drawBuild } from './build-frame.ts';
import { failureReport, warningSummary } from './plain.ts';
import { Steps } from './steps.ts';
import type { BuildView } from './view.ts';

/** A build on a terminal: a line for each step, which becomes one line for all of them when it has gone well. */
export class LiveView implements BuildView {
  /** For text that stays. */
  readonly #people: PeopleOutput;
  readonly #now: () => number;
  readonly #lines: LiveLines;
  readonly #steps: Steps;
  #isPaused = false;

  constructor(
    output: Output,
    { unicode, people, now = Date.now }: { unicode: boolean; people: PeopleOutput; now?: () => number },
  ) {
    this.#people = people;
    this.#steps = new Steps((text) => people.line(text));
    this.#now = now;
    this.#lines = new LiveLines(output, {
      unicode,
      now,
      draw: (screen) => (this.#isPaused ? [] : drawBuild(this.#steps, screen, this.#now())),
    });
  }

  take(status: BuildStatus): void {
    this.#steps.take(status);
    this.#lines.drawSoon();
  }

  pause(): void {
    this.#lines.print('');
    this.#lines.leave();
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#lines.drawSoon();
  }

  end(outcome: BuildOutcome | undefined): void {
    this.#lines.stop();
    const { screen } = this.#lines;
    const steps = this.#steps.all.length === 0 ? '' : `${buildSummary(this.#steps, screen, this.#now())}\n`;
    this.#lines.write(steps + resultText(outcome));
    this.#people.write(explanations(this.#steps) + warningSummary(this.#steps));
  }

  fail(failure: BuildFailure | undefined): void {
    // How far it came stays on the screen.
    this.#lines.print('');
    this.#lines.stop();
    this.#people.write(explanations(this.#steps) + failureReport(this.#steps, failure));
  }
}

/** `  sha256:… as x:latest`. */
function resultText(outcome: BuildOutcome | undefined): string {
  if (outcome === undefined || outcome.image === '') return '';
  const name = outcome.metadata['image.name'];
  return `  ${outcome.image}${typeof name === 'string' && name !== '' ? ` as ${name.replaceAll(',', ', ')}` : ''}\n`;
}

/** Why the cache had steps or not, for those that asked. */
function explanations({ all }: Steps): string {
  return all
    .filter(({ vertex: { explanation } }) => explanation !== undefined)
    .map(({ vertex: { name, cached, explanation = [] } }) => {
      const lines = explanation.map((line) => `    ${line}\n`).join('');
      return `${cached === true ? 'hit ' : 'miss'} ${name}\n${lines}`;
    })
    .join('');
}
