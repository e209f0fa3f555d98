import { EngineError } from '#/base/errors.ts';
import { StepError } from '#/builder/step-error.ts';
import { DockerfileError } from '#/dockerfile/errors.ts';
import { type ErrorDetail, GrpcError, grpcCodes } from '../grpc/status.ts';

/** Bytes of a Dockerfile that are sent with an error; the excerpt of a larger one is left out. */
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
    const data = Buffer.from(source.lines.join('\n'));
    // An end at the very beginning of a line does not touch that line.
    const last = range.end.column === 1 ? range.end.line - 1 : range.end.line;
    const lines = { start: { line: range.start.line }, end: { line: Math.max(range.start.line, last) } };
    if (data.length <= maxSource) {
      const info = { filename: source.name, data: data.toString('base64'), language: 'Dockerfile' };
      details.push(detail('errdefs.Source', { info, ranges: [lines] }));
    }
  }
  const step = error instanceof StepError ? error : error.cause;
  if (step instanceof StepError) details.push(detail('gatewayapi.ExitMessage', { Code: step.exitCode }));
  return details;
}

function detail(name: string, value: object): ErrorDetail {
  return { type: `github.com/moby/buildkit/${name}+json`, value: Buffer.from(JSON.stringify(value)) };
}
