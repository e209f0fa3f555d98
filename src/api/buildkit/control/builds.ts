import { unlessAborted } from '#/base/abort.ts';
import { invalid, notFound, notImplemented } from '#/base/errors.ts';
import type { BuildResult } from '#/builder/build.ts';
import { loadDockerfile } from '#/builder/plan/load-dockerfile.ts';
import type { BuildRequest, NamedContext } from '#/builder/request.ts';
import { hostPlatform } from '#/oci/platform.ts';
import type { BuilderBackend } from '../../backend.ts';
import { GrpcError, grpcCodes, grpcErrorOf } from '../grpc/status.ts';
import type { History } from '../history/history.ts';
import type { StatusResponse } from '../messages/control_pb.ts';
import type { Attributes } from './attributes.ts';
import { buildRequestOf, type ContextSource, type SolveInput } from './build-request.ts';
import { detailed } from './error-details.ts';
import { Job, type PromisedResult } from './job.ts';
import { ProgressFeed } from './progress-feed.ts';
import { answerSubrequest, type SubrequestResult } from './subrequests.ts';

/** How long somebody who follows a build waits for its begin: clients ask for both at the same time. Milliseconds. */
const patience = 5_000;
/** Builds that have ended and can still be followed: some are over before the client comes to ask how they go. */
const maxEnded = 16;

/** What builds need. */
export interface BuildsParts {
  readonly builder: BuilderBackend;
  readonly history: History;
  /** Where the files of a build come from. */
  readonly contexts: (input: SolveInput, stack: AsyncDisposableStack) => Omit<ContextSource, 'input'>;
}

/** Builds that clients of BuildKit's API have begun. */
export class Builds {
  readonly #parts: BuildsParts;
  readonly #jobs = new Map<string, Job>();
  readonly #ended = new Map<string, Job>();
  readonly #arrivals = new EventTarget();

  constructor(parts: BuildsParts) {
    this.#parts = parts;
  }

  /** Carries a build out. Gives what exporters say. */
  async solve(input: SolveInput, options: SolveOptions): Promise<ReadonlyMap<string, string>> {
    const { ref } = input;
    if (this.#jobs.has(ref)) throw invalid(`the build ${JSON.stringify(ref)} is already under way`);
    const job = new Job(input, new ProgressFeed());
    this.#jobs.set(ref, job);
    this.#arrivals.dispatchEvent(new Event(ref));
    try {
      return (await this.#remembered(job, options))?.metadata ?? new Map();
    } finally {
      this.#jobs.delete(ref);
      this.#ended.set(ref, job);
      for (const oldest of [...this.#ended.keys()].slice(0, -maxEnded)) this.#ended.delete(oldest);
      await job.told(options);
    }
  }

  /** All that is told of the build with this name, which may begin a little later. */
  async *follow(ref: string, call: { signal: AbortSignal }): AsyncGenerator<StatusResponse> {
    const isHere = this.#jobs.has(ref) || this.#ended.has(ref);
    const told = isHere ? undefined : this.#parts.history.told(ref);
    if (told === undefined) yield* (await this.job(ref, call)).follow(call);
    else yield* told;
  }

  /** The build with this name, which may begin a little later. */
  async job(ref: string, { signal }: { signal: AbortSignal }): Promise<Job> {
    const known = this.#jobs.get(ref) ?? this.#ended.get(ref);
    if (known !== undefined) return known;
    const { promise, resolve } = Promise.withResolvers<void>();
    const limit = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
    const arrived = (): void => resolve();
    this.#arrivals.addEventListener(ref, arrived, { once: true });
    limit.addEventListener('abort', arrived, { once: true });
    await promise;
    this.#arrivals.removeEventListener(ref, arrived);
    signal.throwIfAborted();
    const job = this.#jobs.get(ref);
    if (job === undefined) throw notFound(`no such job ${JSON.stringify(ref)}`);
    return job;
  }

  /** Carries out what a result was promised to be, without giving it to anybody. */
  async evaluate(result: string, { signal }: { signal: AbortSignal }): Promise<void> {
    const { job, promised } = this.#promised(result);
    await this.#build(job, promised, { outputs: [], signal });
  }

  /** Answers a question about the Dockerfile of a build, without building. */
  async ask(name: string, job: Job, options: AskOptions): Promise<SubrequestResult> {
    const { attributes, signal } = options;
    await using stack = new AsyncDisposableStack();
    const input = { ...job.input, attributes };
    const noInput = (asked: string): NamedContext => inputImage(new Map(), asked);
    const request = buildRequestOf(input, { ...this.#parts.contexts(input, stack), input: noInput });
    const control = { signal, progress: job.feed.push.bind(job.feed) };
    const [platform = hostPlatform()] = request.platforms;
    return await answerSubrequest(name, {
      attributes,
      load: () => loadDockerfile(request, control),
      imageConfig: (image) => this.#parts.builder.imageConfig(image, platform),
    });
  }

  /** Carries a build out, and takes note of it in the history. */
  async #remembered(job: Job, options: SolveOptions): Promise<BuildResult | undefined> {
    const ended = options.isInternal ? undefined : this.#parts.history.begin(job);
    const [outcome] = await Promise.allSettled([this.#run(job, options)]);
    job.feed.close();
    const completed = new Date();
    if (outcome.status === 'rejected') {
      ended?.({
        completed,
        result: undefined,
        error: shownError(outcome.reason, { signal: options.signal, job }),
      });
      throw detailed(outcome.reason, job.feed);
    }
    ended?.({ completed, result: outcome.value, error: undefined });
    return outcome.value;
  }

  /** What came of a build; undefined if its client wanted nothing to be made. */
  async #run(job: Job, options: SolveOptions): Promise<BuildResult | undefined> {
    const { signal, frontend } = options;
    switch (frontend) {
      case 'dockerfile.v0':
        return this.#build(job, { attributes: job.input.attributes, inputs: options.inputs }, { signal });
      case 'client': {
        const returned = await unlessAborted(job.returned, signal);
        if (returned.kind === 'failure') throw returned.error;
        if (returned.kind === 'nothing') return undefined;
        const promised = job.promised(returned.result);
        if (promised === undefined) throw notFound(`no such result ${JSON.stringify(returned.result)}`);
        return this.#build(job, promised, { signal });
      }
      default:
        throw notImplemented(`the front end ${JSON.stringify(frontend)} is not implemented`);
    }
  }

  /** Builds what a promise says, for the outputs of the job or for others. */
  async #build(
    job: Job,
    { attributes, inputs }: PromisedResult,
    { outputs, signal }: { outputs?: BuildRequest['outputs']; signal: AbortSignal },
  ): Promise<BuildResult> {
    const images = new Map<string, string>();
    for (const [name, result] of inputs) images.set(name, await this.#imageOf(result, { signal }));
    const input = { ...job.input, attributes };
    await using stack = new AsyncDisposableStack();
    const contexts = {
      ...this.#parts.contexts(input, stack),
      input: (name: string) => inputImage(images, name),
    };
    const request = buildRequestOf(input, contexts);
    const wanted = outputs === undefined ? request : { ...request, outputs };
    const progress = job.feed.push.bind(job.feed);
    // What the stack has is needed until then.
    return await this.#parts.builder.build(wanted, { signal, progress });
  }

  /** The image that another build makes, from the cache if that build has already been there. */
  async #imageOf(result: string, { signal }: { signal: AbortSignal }): Promise<string> {
    const { job, promised } = this.#promised(result);
    const outputs = [{ kind: 'image' as const, names: [], options: new Map<string, string>() }];
    const { metadata } = await this.#build(job, promised, { outputs, signal });
    const image = metadata.get('containerimage.config.digest') ?? metadata.get('containerimage.digest');
    if (image === undefined) throw invalid(`the build ${JSON.stringify(job.ref)} makes no image`);
    return image;
  }

  #promised(result: string): { job: Job; promised: PromisedResult } {
    const job = this.#jobs.get(result.slice(0, result.lastIndexOf('/')));
    const promised = job?.promised(result);
    if (job === undefined || promised === undefined)
      throw notFound(`no such result ${JSON.stringify(result)}`);
    return { job, promised };
  }
}

/** What a question is about. */
interface AskOptions {
  readonly attributes: Attributes;
  readonly signal: AbortSignal;
}

/** How a build is carried out. */
export interface SolveOptions {
  /** `client`: the client drives it by the gateway. */
  readonly frontend: string;
  /** Results of other builds, by the names that the attributes give them. */
  readonly inputs: ReadonlyMap<string, string>;
  /** Not for the history. */
  readonly isInternal: boolean;
  readonly signal: AbortSignal;
}

/** A failure as the history has it; that of a client that has given up as BuildKit says it, which clients look for. */
function shownError(error: unknown, { signal, job }: { signal: AbortSignal; job: Job }): GrpcError {
  if (signal.aborted) return new GrpcError(grpcCodes.cancelled, 'context canceled', { cause: error });
  return grpcErrorOf(detailed(error, job.feed));
}

function inputImage(images: ReadonlyMap<string, string>, name: string): NamedContext {
  const reference = images.get(name);
  if (reference === undefined) throw invalid(`invalid input ${JSON.stringify(name)}`);
  return { kind: 'image', reference };
}
