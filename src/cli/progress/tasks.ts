import type { ProgressMessage } from '#/wire/json-stream.ts';
import { RateMeter } from './rate.ts';

/** An amount of something and how much there will be; 0 is not known. */
export interface Amount {
  readonly current: number;
  readonly total: number;
}

const nothing: Amount = { current: 0, total: 0 };

/** Statuses, in docker's words, under which bytes cross the network or come from the archive. */
const transfers: ReadonlySet<string> = new Set(['Downloading', 'Pushing', 'Loading layer']);
const thereAlready = /^(Already exists|Layer already exists|Mounted from .*)$/;
const complete = /^(Pull complete|Pushed)$/;

/** One thing that is moved, such as a layer. */
export class Task {
  readonly id: string;
  status = '';
  /** Of the present step. */
  amount: Amount = nothing;
  /** What `amount` counts; empty for bytes. */
  units = '';
  /** Bytes moved, whatever the present step is. */
  moved: Amount = nothing;
  #meter = new RateMeter();

  constructor(id: string) {
    this.id = id;
  }

  /** Takes over what the daemon says of it. */
  update({ status = '', progressDetail }: ProgressMessage, now: number): void {
    const { current = 0, total = 0, units = '' } = progressDetail ?? {};
    // Another step counts anew, and not always from 0: a download may go on where one stopped.
    if (status !== this.status) this.#meter = new RateMeter();
    this.status = status;
    this.amount = { current: Math.max(0, current), total: Math.max(0, total) };
    this.units = units;
    this.#meter.add(this.amount.current, now);
    if (transfers.has(status) && units === '') this.moved = this.amount;
    // A step after the transfer: all of it has come.
    else if (this.moved.total > 0) this.moved = { current: this.moved.total, total: this.moved.total };
  }

  get wasThere(): boolean {
    return thereAlready.test(this.status);
  }

  get done(): boolean {
    const { current, total } = this.amount;
    const loaded = this.status === 'Loading layer' && total > 0 && current >= total;
    return loaded || this.wasThere || complete.test(this.status);
  }

  /** Something is counted now. */
  get active(): boolean {
    return !this.done && (this.amount.current > 0 || this.amount.total > 0);
  }

  /** Of the present step, per second. */
  rate(now: number): number | undefined {
    return this.#meter.rate(now);
  }
}

/** Things that are moved together, in the order in which they were first heard of. */
export class TaskList {
  readonly #tasks = new Map<string, Task>();
  readonly #meter = new RateMeter();
  #startedAt = 0;
  /** Bytes that came while somebody watched. */
  #seen = 0;

  get all(): readonly Task[] {
    return [...this.#tasks.values()];
  }

  get allDone(): boolean {
    return this.all.every((task) => task.done);
  }

  update(id: string, message: ProgressMessage, now: number): void {
    if (this.#tasks.size === 0) this.#startedAt = now;
    const task = this.#tasks.get(id) ?? new Task(id);
    this.#tasks.set(id, task);
    const before = task.moved;
    task.update(message, now);
    if (before.total > 0) this.#seen += Math.max(0, task.moved.current - before.current);
    this.#meter.add(this.#seen, now);
  }

  /** Bytes of all of them. What has not begun is not counted. */
  get moved(): Amount {
    const sum = (pick: (amount: Amount) => number): number =>
      this.all.reduce((total, { moved }) => total + pick(moved), 0);
    return { current: sum(({ current }) => current), total: sum(({ total }) => total) };
  }

  /** Whether `moved` knows how much there is in all. */
  get totalIsKnown(): boolean {
    return this.all.every((task) => task.done || task.moved.total > 0);
  }

  rate(now: number): number | undefined {
    return this.#meter.rate(now);
  }

  /** Milliseconds since the first of them. */
  elapsed(now: number): number {
    return now - this.#startedAt;
  }
}
