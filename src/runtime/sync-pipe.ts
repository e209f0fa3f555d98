import type { Readable } from 'node:stream';
import { internal } from '#/base/errors.ts';

/** One line that conmon writes: a pid, an exit code or 0; negative with a message when something failed. */
export interface MonitorReport {
  readonly data: number;
  readonly message?: string;
}

/** conmon's messages have at most 8 KiB, each byte escaped as six at most. */
const maxReportBytes = 64 << 10;

/** Reads reports from a pipe, one at a time. */
export class ReportReader {
  readonly #lines: AsyncIterator<Buffer>;
  #rest = Buffer.alloc(0);

  constructor(pipe: Readable) {
    this.#lines = pipe[Symbol.asyncIterator]();
  }

  /** The next report; undefined at the end. */
  async next(): Promise<MonitorReport | undefined> {
    for (;;) {
      const end = this.#rest.indexOf('\n');
      if (end >= 0) {
        const line = this.#rest.toString('utf8', 0, end);
        this.#rest = this.#rest.subarray(end + 1);
        return parseReport(line);
      }
      if (this.#rest.length > maxReportBytes) throw internal('the monitor sent more than a report');
      const { value, done } = await this.#lines.next();
      if (done === true) return undefined;
      this.#rest = Buffer.concat([this.#rest, value]);
    }
  }
}

/** Parses `{"data": N, "message": "…"}`. Tolerates control characters that conmon does not escape. */
export function parseReport(line: string): MonitorReport {
  const match = /^\{"data": (-?\d{1,10})(?:, "message": "(.*)")?\}$/s.exec(line);
  if (match === null)
    throw internal(`the monitor sent something other than a report: ${JSON.stringify(line)}`);
  const [, data, message] = match;
  return message === undefined ? { data: Number(data) } : { data: Number(data), message: unescape(message) };
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', '"': '"', '\\': '\\' };

function unescape(text: string): string {
  return text.replaceAll(
    /\\(?:u00([0-9a-f]{2})|(.))/gs,
    (_all, hex: string | undefined, char: string | undefined) =>
      hex === undefined ? (escapes[char ?? ''] ?? char ?? '') : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
