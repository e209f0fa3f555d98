import { EngineError } from '#/base/errors.ts';
import { StepError } from '#/builder/step-error.ts';
import { DockerfileError } from '#/dockerfile/errors.ts';
import { type ErrorDetail, GrpcError, grpcCodes } from '../grpc/status.ts';
import { base64, rangeOf } from './source-range.ts';

/** A Dockerfile that is sent with an error, in characters of base64; the excerpt of a larger one is left out. */
const maxSource = 256 * 1024;

/** Lets what a build fails with pass as clients show it best: the plain message, and the place in the Dockerfile. */
export async function withErrorDetails<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    // Other codes are shown in front of the message.
    if (!(error instanceof EngineError)) throw error;
    throw new GrpcError(grpcCodes.unknown, error.message, { cause: error, details: detailsOf(error) });
  }
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
