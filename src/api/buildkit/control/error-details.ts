import { EngineError } from '#/base/errors.ts';
import { StepError } from '#/builder/step-error.ts';
import { type ErrorDetail, GrpcError, grpcCodes } from '../grpc/status.ts';

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

function detailsOf(error: unknown): ErrorDetail[] {
  const details: ErrorDetail[] = [];
  if (error instanceof StepError) details.push(detail('gatewayapi.ExitMessage', { Code: error.exitCode }));
  return details;
}

function detail(name: string, value: object): ErrorDetail {
  return { type: `github.com/moby/buildkit/${name}+json`, value: Buffer.from(JSON.stringify(value)) };
}
