import { type EngineError, invalid } from '#/base/errors.ts';
import { shortId } from '#/base/ids.ts';
import type { BuildResult } from '#/builder/build.ts';
import type { BuildEvent } from '#/builder/progress.ts';
import { DockerfileError } from '#/dockerfile/errors.ts';
import { familiarString } from '#/oci/reference.ts';
import { encodeProgress, type ProgressMessage } from '#/wire/json-stream.ts';
import type { Call } from '../call.ts';
import { failureOf } from '../errors.ts';
import { beginStream, drained, endAfterUpload } from '../respond.ts';
import type { BuildQuery } from './build-query.ts';
import { ClassicSteps } from './classic-steps.ts';
import { classicFailure } from './classic-words.ts';

/** What a quiet build has said is kept, to be told if it fails. Messages. */
const maxKept = 10_000;

/**
 * The answer to a classic build: Docker's stream of JSON objects. It begins with the first step, so that what fails before
 * gets a status of its own. A quiet one says only the image's id, or all that led to the failure.
 */
export class ClassicStream {
  readonly #call: Call;
  readonly #query: BuildQuery;
  readonly #steps: ClassicSteps;
  readonly #kept: ProgressMessage[] = [];

  constructor(call: Call, query: BuildQuery) {
    this.#call = call;
    this.#query = query;
    const { labels, removeContainers: removesContainers, noCache } = query;
    const wishes = { labels, removesContainers, noCache };
    const { states } = call.engine.builds;
    this.#steps = new ClassicSteps((message) => this.#say(message), wishes, states);
  }

  /** Takes an event; whoever has more to say waits until the client has read. */
  take(event: BuildEvent): undefined | Promise<void> {
    this.#steps.take(event);
    const { response, signal } = this.#call;
    return response.writableNeedDrain && !signal.aborted ? drained(response, signal) : undefined;
  }

  /** Ends the answer after success. */
  end({ image, unusedArgs }: BuildResult): void {
    if (image !== undefined && this.#query.quiet) this.#write({ stream: `${image}\n` });
    else if (image !== undefined) {
      this.#steps.finish(image);
      this.#write({ aux: { ID: image } });
      if (unusedArgs.length > 0) {
        const names = [...unusedArgs].sort().join(' ');
        this.#write({ stream: `[Warning] One or more build-args [${names}] were not consumed\n` });
      }
      this.#write({ stream: `Successfully built ${shortId(image)}\n` });
      for (const name of this.#query.names) {
        this.#write({ stream: `Successfully tagged ${familiarString(name)}\n` });
      }
    }
    this.#call.response.end();
  }

  /** Tells of the failure inside the stream, or throws it again if nothing has been said. */
  fail(error: unknown): void {
    const { response, log, request, signal } = this.#call;
    if (!response.headersSent && error instanceof DockerfileError) {
      if (!this.#steps.isRead) throw unreadable(error);
      this.#steps.breakOff(error.range.start.line);
    }
    for (const message of this.#kept.splice(0)) this.#write(message);
    if (!response.headersSent) throw error;
    if (failureOf(error).isBug && !signal.aborted)
      log.error('build failed', { path: request.url?.split('?')[0], error });
    const errorDetail = classicFailure(error);
    this.#write({ errorDetail, error: errorDetail.message });
    endAfterUpload(response);
  }

  #say(message: ProgressMessage): void {
    if (!this.#query.quiet) this.#write(message);
    else {
      this.#kept.push(message);
      if (this.#kept.length > maxKept) this.#kept.shift();
    }
  }

  #write(message: ProgressMessage): void {
    const { response } = this.#call;
    if (!response.headersSent) beginStream(this.#call, 'application/json');
    response.write(encodeProgress(message));
  }
}

/** The error of a Dockerfile that cannot be read. */
function unreadable(error: DockerfileError): EngineError {
  const { message } = error;
  if (/^(?:dockerfile parse error|no build stage)/.test(message)) return error;
  return invalid(`failed to parse Dockerfile: ${message}`, error);
}
