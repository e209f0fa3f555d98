import { humanSize } from '#/base/units.ts';
import type { BuildFailure, BuildOutcome, BuildStatus } from '#/wire/build-status.ts';
import type { PeopleOutput } from '../../format/safe-text.ts';
import { type OutputLine, type Step, type StepChange, type StepPart, Steps, warningText } from './steps.ts';
import type { BuildView } from './view.ts';

/** A part that is not complete is told of again after that time. Milliseconds. */
const partInterval = 5000;

/** What happens in a build as lines, each with the number of its step: `#5 [2/3] RUN make`. */
export class PlainView implements BuildView {
  readonly #output: PeopleOutput;
  readonly #now: () => number;
  readonly #steps: Steps;
  /** The step that the last line was about. */
  #current: Step | undefined;
  readonly #begun = new Set<Step>();
  /** When parts were told of last; those that are complete never again. */
  readonly #told = new Map<StepPart['id'], number>();

  constructor(output: PeopleOutput, { now = Date.now }: { now?: () => number } = {}) {
    this.#output = output;
    this.#steps = new Steps((text) => output.line(text));
    this.#now = now;
  }

  take(status: BuildStatus): void {
    for (const change of this.#steps.take(status)) this.#tell(change);
    for (const warning of status.warnings ?? []) {
      const step = this.#steps.find(warning.vertex);
      if (step !== undefined && step.number > 0) this.#line(step, `WARN: ${warningText(warning)}`);
    }
  }

  pause(): void {
    this.#current = undefined;
  }

  resume(): void {
    // The next line begins with its step.
  }

  end(_outcome: BuildOutcome | undefined): void {
    this.#output.write(warningSummary(this.#steps));
  }

  fail(failure: BuildFailure | undefined): void {
    this.#output.write(failureReport(this.#steps, failure));
  }

  #tell({ step, parts, lines }: StepChange): void {
    if (step.number === 0) return;
    for (const part of parts) if (this.#isDue(step, part)) this.#line(step, partText(part, this.#now()));
    for (const { seconds, text } of lines) this.#line(step, `${seconds.toFixed(3)} ${text}`);
    const { error } = step.vertex;
    if (step.completed === undefined) {
      if (!this.#begun.has(step)) this.#begin(step);
      return;
    }
    if (error !== undefined && error !== '') this.#line(step, `ERROR: ${error}`);
    else if (step.cached) this.#line(step, 'CACHED');
    else this.#line(step, `DONE ${step.seconds(this.#now()).toFixed(1)}s`);
    this.#explain(step);
    this.#output.write('\n');
    this.#current = undefined;
  }

  #explain(step: Step): void {
    for (const line of step.vertex.explanation ?? []) this.#line(step, `why: ${line}`);
  }

  #isDue(step: Step, { id, completed }: StepPart): boolean {
    const key = `${step.digest} ${id}`;
    const last = this.#told.get(key) ?? Number.NEGATIVE_INFINITY;
    if (last === Number.POSITIVE_INFINITY) return false;
    if (completed === undefined && last === Number.NEGATIVE_INFINITY) {
      // Most parts are over before they are worth a line of their own.
      this.#told.set(key, this.#now());
      return false;
    }
    if (completed === undefined && this.#now() - last < partInterval) return false;
    this.#told.set(key, completed === undefined ? this.#now() : Number.POSITIVE_INFINITY);
    return true;
  }

  #line(step: Step, text: string): void {
    if (this.#current !== step) this.#begin(step);
    this.#output.write(`#${step.number} ${text}\n`);
  }

  #begin(step: Step): void {
    if (this.#current !== undefined) this.#output.write('\n');
    this.#current = step;
    this.#begun.add(step);
    this.#output.write(`#${step.number} ${step.vertex.name}\n`);
  }
}

/** `transferring context: 2.1MB 0.2s done`. */
export function partText({ id, current, total, started, completed }: StepPart, now: number): string {
  const size =
    total > 0
      ? `${humanSize(current, 3)} / ${humanSize(total, 3)}`
      : current > 0
        ? humanSize(current, 3)
        : '';
  const seconds = started === undefined ? 0 : ((completed ?? now) - started) / 1000;
  const words = [
    id,
    size,
    seconds >= 0.05 ? `${seconds.toFixed(1)}s` : '',
    completed === undefined ? '' : 'done',
  ];
  return words.filter((word) => word !== '').join(' ');
}

/** The warnings once more, at the end. */
export function warningSummary({ warnings }: Steps): string {
  if (warnings.length === 0) return '';
  const count = `${warnings.length} ${warnings.length === 1 ? 'warning' : 'warnings'}`;
  const lines = warnings.map((warning) => ` - ${warningText(warning)}\n`);
  return `\n ${count} found (skiff build --check tells more):\n${lines.join('')}`;
}

/** The last output of the step that failed, and the lines of the Dockerfile that it comes from. */
export function failureReport(steps: Steps, failure: BuildFailure | undefined): string {
  const failed =
    steps.find(failure?.vertex) ??
    steps.all.find(({ vertex: { error } }) => error !== undefined && error !== '');
  const rule = '------\n';
  const lines = failed?.tail.map(({ seconds, text }: OutputLine) => `${seconds.toFixed(3)} ${text}\n`) ?? [];
  const output = failed === undefined ? '' : `${rule} > ${failed.vertex.name}:\n${lines.join('')}${rule}`;
  const excerpt = failure?.excerpt === undefined ? '' : `${failure.excerpt.trimEnd()}\n`;
  const hint = failure?.hint === undefined ? '' : `${failure.hint}\n`;
  return output + excerpt + hint;
}
