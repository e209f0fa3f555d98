import { messageOf } from '#/base/errors.ts';
import type { Digest } from '#/oci/digest.ts';
import { inputsOf, type PlanNode } from '../plan/graph.ts';
import type { ProgressSink, Status, VertexEvent } from '../progress.ts';

/** How something ended. */
export interface VertexEnd {
  readonly cached?: boolean;
  readonly error?: unknown;
  readonly result?: Digest | undefined;
  readonly explanation?: readonly string[] | undefined;
}

/** Tells how far one node is. */
export class VertexReport {
  readonly #base: Pick<VertexEvent, 'digest' | 'name' | 'inputs'>;
  readonly #progress: ProgressSink;
  #started: Date | undefined;

  constructor(node: Pick<VertexEvent, 'digest' | 'name' | 'inputs'>, progress: ProgressSink) {
    this.#base = node;
    this.#progress = progress;
  }

  /** Of a node of the plan. */
  static of(node: PlanNode, progress: ProgressSink): VertexReport {
    const inputs = inputsOf(node).map(({ digest }) => digest);
    return new VertexReport({ digest: node.digest, name: node.name, inputs }, progress);
  }

  /** That there is such a thing to do. */
  announce(): void {
    this.#send({ cached: false });
  }

  start(): void {
    this.#started = new Date();
    this.#send({ cached: false, started: this.#started });
  }

  end({ cached = false, error, result, explanation }: VertexEnd = {}): void {
    const now = new Date();
    this.#send({
      cached,
      started: this.#started ?? now,
      completed: now,
      ...(error !== undefined && { error: messageOf(error) }),
      ...(result !== undefined && { result }),
      ...(explanation !== undefined && { explanation }),
    });
  }

  status(status: Status): void {
    void this.#progress({ kind: 'status', vertex: this.#base.digest, ...status });
  }

  log(stream: 1 | 2, data: Buffer): undefined | Promise<void> {
    return this.#progress({ kind: 'log', vertex: this.#base.digest, stream, time: new Date(), data });
  }

  /** `start`, the work, `end`. */
  async during<T>(work: () => Promise<T>, describe: (result: T) => VertexEnd = () => ({})): Promise<T> {
    this.start();
    try {
      const result = await work();
      this.end(describe(result));
      return result;
    } catch (error) {
      this.end({ error });
      throw error;
    }
  }

  #send(event: Omit<VertexEvent, 'kind' | 'digest' | 'name' | 'inputs'>): void {
    void this.#progress({ kind: 'vertex', ...this.#base, ...event });
  }
}
