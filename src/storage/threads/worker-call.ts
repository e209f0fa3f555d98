import type { MessagePort, Worker } from 'node:worker_threads';
import { EngineError, type ErrorKind, tooLarge } from '#/base/errors.ts';

/** What a worker answers in the end. */
type Outcome =
  | { readonly kind: 'done'; readonly result: unknown }
  | {
      readonly kind: 'refused';
      readonly errorKind: ErrorKind;
      readonly message: string;
      readonly cause: unknown;
    }
  | { readonly kind: 'failed'; readonly error: unknown };

/** What a worker is asked. */
export interface WorkerRequest {
  readonly request: unknown;
  /** What tells it to stop. */
  readonly stop: unknown;
  /** For error messages. */
  readonly doing: string;
  /** Memory that goes to the worker instead of being copied. */
  readonly transfer?: readonly ArrayBuffer[] | undefined;
}

/** Who calls a worker. */
export interface CallControl<News> {
  readonly signal?: AbortSignal | undefined;
  /** Called with what the worker tells before its answer. */
  readonly onNews?: (news: News) => void;
}

/**
 * Sends `request` to a worker that nobody else uses and waits for its answer. When the signal aborts, `stop` is sent; the
 * worker answers all the same, and the signal's reason is thrown. Throws what the work threw: EngineErrors as such.
 */
export function callWorker<Result, News = never>(
  worker: Worker,
  { request, stop, doing, transfer = [] }: WorkerRequest,
  { signal, onNews }: CallControl<News> = {},
): Promise<Result> {
  const { promise, resolve, reject } = Promise.withResolvers<Result>();
  const onMessage = (message: Outcome | { kind: 'news'; news: News }): void => {
    if (message.kind === 'news') onNews?.(message.news);
    // What a request is answered with goes by the request.
    else if (message.kind === 'done') resolve(message.result as Result);
    else if (signal?.aborted) reject(signal.reason);
    else if (message.kind === 'failed') reject(message.error);
    else reject(new EngineError(message.errorKind, message.message, { cause: message.cause }));
  };
  const onError = (error: Error): void => {
    const outOfMemory = 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
    reject(outOfMemory ? tooLarge(`Cannot ${doing}: it takes too much memory`, error) : error);
  };
  const onExit = (): void => reject(new Error(`the thread ended before it could ${doing}`));
  const onAbort = (): void => worker.postMessage(stop);
  worker.ref();
  worker.on('message', onMessage).on('error', onError).on('exit', onExit);
  signal?.addEventListener('abort', onAbort);
  worker.postMessage(request, transfer);
  return promise.finally(() => {
    worker.off('message', onMessage).off('error', onError).off('exit', onExit);
    signal?.removeEventListener('abort', onAbort);
  });
}

/** In a worker: does the work and answers. */
export async function answer(port: MessagePort, work: () => unknown): Promise<void> {
  const reply = (outcome: Outcome): void => port.postMessage(outcome);
  try {
    reply({ kind: 'done', result: await work() });
  } catch (error) {
    // Structured clone keeps message and stack of an Error, but not its class.
    if (error instanceof EngineError) {
      reply({ kind: 'refused', errorKind: error.kind, message: error.message, cause: error.cause });
    } else reply({ kind: 'failed', error });
  }
}

/** In a worker: tells the caller something before the answer. */
export function tell<News>(port: MessagePort, news: News, transfer: ArrayBuffer[] = []): void {
  port.postMessage({ kind: 'news', news }, transfer);
}
