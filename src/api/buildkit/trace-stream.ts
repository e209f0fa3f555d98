import { toBinary } from '@bufbuild/protobuf';
import type { ProgressSink } from '#/builder/progress.ts';
import { encodeProgress } from '#/wire/json-stream.ts';
import type { Call } from '../call.ts';
import { failureOf } from '../errors.ts';
import { beginStream, endAfterUpload, send } from '../respond.ts';
import { ProgressFeed } from './control/progress-feed.ts';
import { StatusResponseSchema } from './messages/control_pb.ts';

/**
 * The answer to a build by BuildKit over HTTP: JSON objects, with BuildKit's own messages in them. A quiet one says only the
 * image's id, or all that led to the failure.
 */
export class TraceStream {
  readonly #call: Call;
  readonly #progress = new ProgressFeed();
  readonly #isQuiet: boolean;
  #sent: Promise<void> | undefined;

  constructor(call: Call, { quiet }: { quiet: boolean }) {
    this.#call = call;
    this.#isQuiet = quiet;
    beginStream(call, 'application/json');
    if (!quiet) this.#begin();
  }

  /** Takes the events of the build. */
  readonly feed: ProgressSink = (event) => this.#progress.push(event);

  /** Ends the answer after success. */
  async end(metadata: ReadonlyMap<string, string>): Promise<void> {
    await this.#finishProgress();
    const id = metadata.get('containerimage.config.digest') ?? metadata.get('containerimage.digest');
    if (id !== undefined) {
      const message = this.#isQuiet ? { stream: `${id}\n` } : { id: 'moby.image.id', aux: { ID: id } };
      this.#call.response.write(encodeProgress(message));
    }
    this.#call.response.end();
  }

  /** Tells of the failure. */
  async fail(error: unknown): Promise<void> {
    this.#begin();
    await this.#finishProgress();
    const { response, log, signal } = this.#call;
    const { message, isBug } = failureOf(error);
    if (isBug && !signal.aborted) log.error('a build failed', { error });
    response.write(encodeProgress({ errorDetail: { message }, error: message }));
    endAfterUpload(response);
  }

  async #finishProgress(): Promise<void> {
    this.#progress.close();
    await this.#sent?.catch(() => {});
  }

  #begin(): void {
    this.#sent ??= this.#send();
    // A client that hung up is told of by the build's own signal.
    this.#sent.catch(() => {});
  }

  async #send(): Promise<void> {
    const { response, signal } = this.#call;
    for await (const status of this.#progress.follow({ signal })) {
      const aux = Buffer.from(toBinary(StatusResponseSchema, status)).toString('base64');
      await send(response, encodeProgress({ id: 'moby.buildkit.trace', aux }), { signal });
    }
  }
}
