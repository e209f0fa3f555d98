import { EngineError } from '#/base/errors.ts';
import { StepError } from '#/builder/step-error.ts';
import { DockerfileError } from '#/dockerfile/errors.ts';
import { type ErrorDetail, GrpcError, grpcCodes } from '../grpc/status.ts';
import type { ProgressFeed } from './progress-feed.ts';
import { base64, rangeOf } from './source-range.ts';

/** A Dockerfile that is sent with an error, in characters of base64; the excerpt of a larger one is left out. */
const maxSource = 256 * 1024;

/** Lets what a build fails with pass as clients show it best: the plain message, and the place in the Dockerfile. */
export async function withErrorDetails<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw detailed(error);
  }
}

/**
 * A failure with what clients know how to show: of a build, also which of its steps failed. Other codes than `unknown` are shown
 * in front of the message.
 */
export function detailed(error: unknown, feed?: Pick<ProgressFeed, 'failed'>): unknown {
  if (!(error instanceof EngineError)) return error;
  const details = detailsOf(error);
  const digest = feed?.failed(error.message);
  if (digest !== undefined) details.push(detail('errdefs.Vertex', { digest }));
  return new GrpcError(grpcCodes.unknown, error.message, { cause: error, details });
}

function detailsOf(error: EngineError): ErrorDetail[] {
  const details: ErrorDetail[] = [];
  if (error instanceof DockerfileError) {
    const { source, range } = error;
    const info = { filename: source.name, data: base64(source), language: 'Dockerfile' };
    if (info.data.length <= maxSource)
      details.push(detail('errdefs.Source', { info, ranges: [rangeOf(range)] }));
  }
  const step = error instanceof StepError ? error : error.cause;
  if (step instanceof StepError) details.push(detail('gatewayapi.ExitMessage', { Code: step.exitCode }));
  return details;
}

function detail(name: string, value: object): ErrorDetail {
  return { type: `github.com/moby/buildkit/${name}+json`, value: Buffer.from(JSON.stringify(value)) };
}
