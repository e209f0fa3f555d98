import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { internal } from '#/base/errors.ts';
import { duplicate } from '#/kernel/spawn.ts';
import { type Attempt, startError } from './failure.ts';
import { type MonitorReport, ReportReader } from './sync-pipe.ts';

/** Our ends of conmon's pipes. */
export interface PipeEnds {
  readonly stderr: number;
  readonly sync: number;
  readonly start: number;
  readonly attach: number | undefined;
}

/** A stream over a descriptor of its own: the one given is the caller's to close. */
function streamOf(fd: number, direction: 'read' | 'write'): Socket {
  const stream = new Socket({
    fd: duplicate(fd),
    readable: direction === 'read',
    writable: direction === 'write',
  });
  // It may have died already: that shows on the other pipes.
  return stream.on('error', () => {});
}

/** A conmon that was just started, and what it says about its process. */
export class Conmon {
  readonly pid: number;
  readonly start: Writable;
  readonly #streams: readonly Socket[];
  readonly #sync: ReportReader;
  readonly #attach: ReportReader | undefined;
  #stderr = '';

  constructor(pid: number, ends: PipeEnds) {
    const stderr = streamOf(ends.stderr, 'read');
    const sync = streamOf(ends.sync, 'read');
    const start = streamOf(ends.start, 'write');
    const attach = ends.attach === undefined ? undefined : streamOf(ends.attach, 'read');
    this.pid = pid;
    this.start = start;
    this.#streams = [stderr, sync, start, ...(attach === undefined ? [] : [attach])];
    this.#sync = new ReportReader(sync);
    this.#attach = attach === undefined ? undefined : new ReportReader(attach);
    stderr.setEncoding('utf8');
    stderr.on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(0, 8192);
    });
  }

  /** Waits for the process's pid. */
  async started(attempt: Attempt, args: readonly string[]): Promise<number> {
    return this.#positive(await this.#report(this.#sync, attempt, args), attempt, args);
  }

  /** Waits until the attach socket is there. */
  async attachable(attempt: Attempt, args: readonly string[]): Promise<void> {
    if (this.#attach !== undefined) await this.#report(this.#attach, attempt, args);
  }

  /** Waits for the process's exit code. */
  async exitCode(): Promise<number> {
    try {
      const report = await this.#sync.next();
      if (report === undefined)
        throw internal('the monitor of a process has died without leaving its exit code');
      return report.data;
    } finally {
      this.release();
    }
  }

  /** Lets it run on its own. */
  release(): void {
    for (const stream of this.#streams) stream.destroy();
  }

  async #report(reader: ReportReader, attempt: Attempt, args: readonly string[]): Promise<MonitorReport> {
    const report = await reader.next();
    if (report !== undefined) return report;
    throw startError(attempt, this.#stderr, args[0] ?? '');
  }

  #positive({ data, message }: MonitorReport, attempt: Attempt, args: readonly string[]): number {
    if (data > 0) return data;
    throw startError(attempt, message ?? this.#stderr, args[0] ?? '');
  }
}
