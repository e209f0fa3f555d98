import type {
  BuildStatus,
  BuildVertex,
  VertexLog,
  VertexStatus,
  VertexWarning,
} from '#/wire/build-status.ts';

/** Output kept of a step, to be shown if it fails. Lines. */
const keptLines = 10;

/** A part of a step: a layer that is pulled, files that are sent. */
export interface StepPart {
  readonly id: string;
  readonly current: number;
  /** 0 if unknown. */
  readonly total: number;
  /** Milliseconds since 1970. */
  readonly started: number | undefined;
  readonly completed: number | undefined;
}

/** One line of output, with the seconds since the step began. */
export interface OutputLine {
  readonly seconds: number;
  readonly text: string;
}

/** Makes of a line of output what is shown of it. */
type ShowLine = (text: string) => string;

/** What is known of one step of a build. */
export class Step {
  readonly digest: string;
  /** From 1, in the order in which steps begin; 0 before. */
  number = 0;
  vertex: BuildVertex;
  readonly parts: Map<string, StepPart> = new Map();
  /** The last lines of its output. */
  readonly tail: OutputLine[] = [];
  /** Output without a line end yet. */
  #partial = '';
  readonly #decoder: TextDecoder = new TextDecoder();

  readonly #show: ShowLine;

  constructor(vertex: BuildVertex, show: ShowLine) {
    this.digest = vertex.digest;
    this.vertex = vertex;
    this.#show = show;
  }

  get started(): number | undefined {
    return timeOf(this.vertex.started);
  }

  get completed(): number | undefined {
    return timeOf(this.vertex.completed);
  }

  get cached(): boolean {
    return this.vertex.cached === true;
  }

  get isRunning(): boolean {
    return this.started !== undefined && this.completed === undefined;
  }

  /** Seconds until now or its end. */
  seconds(now: number): number {
    return this.started === undefined ? 0 : Math.max(0, (this.completed ?? now) - this.started) / 1000;
  }

  setPart(status: VertexStatus): StepPart {
    const { id, current, total = 0 } = status;
    const part = {
      id,
      current,
      total,
      started: timeOf(status.started),
      completed: timeOf(status.completed),
    };
    this.parts.set(id, part);
    return part;
  }

  /** Takes output; gives the lines that it completes. */
  addOutput({ data, timestamp }: VertexLog): OutputLine[] {
    const text = this.#partial + this.#decoder.decode(Buffer.from(data, 'base64'), { stream: true });
    const lines = text.split('\n');
    this.#partial = lines.pop() ?? '';
    return lines.map((line) => this.#keep(line, timestamp));
  }

  /** The last line, if no line end follows it. */
  endOutput(): OutputLine[] {
    const rest = this.#partial;
    this.#partial = '';
    return rest === '' ? [] : [this.#keep(rest, this.vertex.completed)];
  }

  /** What it said last, even if the line is not complete. */
  get lastLine(): string {
    return this.#partial.trim() === '' ? (this.tail.at(-1)?.text ?? '') : this.#partial;
  }

  #keep(text: string, timestamp: string | undefined): OutputLine {
    const at = timeOf(timestamp) ?? Date.now();
    const shown = this.#show(text.replace(/\r$/, ''));
    const line = { seconds: Math.max(0, at - (this.started ?? at)) / 1000, text: shown };
    this.tail.push(line);
    if (this.tail.length > keptLines) this.tail.shift();
    return line;
  }
}

/** What has changed by one message. */
export interface StepChange {
  readonly step: Step;
  /** Parts that were told of. */
  readonly parts: readonly StepPart[];
  readonly lines: readonly OutputLine[];
}

/** All steps of a build, in the order in which they were first told of. */
export class Steps {
  readonly #byDigest = new Map<string, Step>();
  readonly warnings: VertexWarning[] = [];
  #started = 0;
  readonly #show: ShowLine;

  /** `show` gets every line of output. */
  constructor(show: ShowLine) {
    this.#show = show;
  }

  get all(): readonly Step[] {
    return [...this.#byDigest.values()];
  }

  find(digest: string | undefined): Step | undefined {
    return digest === undefined ? undefined : this.#byDigest.get(digest);
  }

  /** Takes over a message; what it changes comes by steps, in their order. */
  take({ vertexes = [], statuses = [], logs = [], warnings = [] }: BuildStatus): StepChange[] {
    const changes = new Map<Step, { parts: StepPart[]; lines: OutputLine[] }>();
    const changed = (step: Step): { parts: StepPart[]; lines: OutputLine[] } => {
      const known = changes.get(step);
      if (known !== undefined) return known;
      const change = { parts: [], lines: [] };
      changes.set(step, change);
      return change;
    };
    this.warnings.push(...warnings);
    for (const vertex of vertexes) {
      const step = this.#byDigest.get(vertex.digest) ?? new Step(vertex, this.#show);
      this.#byDigest.set(vertex.digest, step);
      step.vertex = vertex;
      if (step.number === 0 && step.started !== undefined) step.number = ++this.#started;
      changed(step);
    }
    for (const status of statuses) {
      const step = this.#byDigest.get(status.vertex);
      if (step !== undefined) changed(step).parts.push(step.setPart(status));
    }
    for (const log of logs) {
      const step = this.#byDigest.get(log.vertex);
      if (step !== undefined) changed(step).lines.push(...step.addOutput(log));
    }
    for (const [step, { lines }] of changes) {
      if (step.completed !== undefined) lines.push(...step.endOutput());
    }
    return [...changes].map(([step, change]) => ({ step, ...change }));
  }
}

/** Milliseconds since 1970. */
function timeOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text);
}

/** The text of a warning: `RuleName: what is wrong (line 3)`. */
export function warningText({ short }: VertexWarning): string {
  return Buffer.from(short, 'base64').toString();
}
