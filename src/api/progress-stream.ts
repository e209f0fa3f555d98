import type { TransferProgress } from '#/registry/client/progress.ts';
import { encodeProgress, type ProgressMessage } from '#/wire/json-stream.ts';
import { progressBar } from '#/wire/progress-bar.ts';
import type { Call } from './call.ts';
import { failureOf } from './errors.ts';
import { beginStream } from './respond.ts';

/** Between two reports of bytes on one layer, in milliseconds. */
const reportInterval = 100;

/**
 * The answer to a pull or push: Docker's stream of JSON objects. It begins with the first report, so that what fails
 * before gets a status of its own. Reports of bytes come at most ten times a second for each layer, and not at all
 * while the client does not read: only changes of stages, which are few, are ever queued.
 */
export class ProgressStream {
  readonly #call: Call;
  /** When bytes of a layer were reported last. */
  readonly #reported = new Map<string, number>();

  constructor(call: Call) {
    this.#call = call;
  }

  /** Reports; begins the answer if it has not begun. */
  write(progress: TransferProgress): void {
    const { response } = this.#call;
    if (progress.kind === 'bytes' && !this.#isDue(progress)) return;
    if (!response.headersSent) beginStream(this.#call, 'application/json');
    if (progress.kind === 'bytes' && response.writableNeedDrain) return;
    response.write(encodeProgress(present(progress)));
  }

  /** Ends the answer after success. */
  end(): void {
    if (!this.#call.response.headersSent) beginStream(this.#call, 'application/json');
    this.#call.response.end();
  }

  /** Tells of the failure inside the stream, or throws it again if nothing has been sent. */
  fail(error: unknown): void {
    const { response, log, request, signal } = this.#call;
    if (!response.headersSent) throw error;
    const { message, isBug } = failureOf(error);
    // One who has hung up, or a daemon that ends, is no failure.
    if (isBug && !signal.aborted) log.error('request failed', { path: request.url?.split('?')[0], error });
    response.end(encodeProgress({ errorDetail: { message }, error: message }));
  }

  #isDue({ id, status, current, total }: TransferProgress & { kind: 'bytes' }): boolean {
    const now = performance.now();
    const key = `${status} ${id}`;
    if (current < total && now - (this.#reported.get(key) ?? Number.NEGATIVE_INFINITY) < reportInterval)
      return false;
    this.#reported.set(key, now);
    return true;
  }
}

function present(progress: TransferProgress): ProgressMessage {
  switch (progress.kind) {
    case 'note':
      return { status: progress.status, ...(progress.id === undefined ? {} : { id: progress.id }) };
    case 'stage':
      return { status: progress.status, progressDetail: {}, id: progress.id };
    case 'bytes': {
      const { status, current, total, id } = progress;
      return { status, progressDetail: { current, total }, progress: progressBar({ current, total }), id };
    }
    case 'result':
      return { progressDetail: {}, aux: progress.value };
    default:
      return progress satisfies never;
  }
}
